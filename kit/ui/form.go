package ui

import "github.com/a-h/templ"

// Input is one field of a form as it is shown. Label and Name are needed.
type Input struct {
	Name, Label string
	Type        string // of the input element; "" is text
	Value       string
	Error       string // what is wrong with the value, in the reader's language
	Help        string // what to write
	ID          string // "" is "field-" + Name; needed where a page has two forms with the same names
	Prefix      string // shown in front of the value, such as a currency's sign

	Autocomplete, InputMode, Placeholder, Pattern, Accept string
	Min, Max, Step                                        string
	MaxLength                                             int
	Rows                                                  int // of a TextArea; 0 is 4
	Required, Autofocus                                   bool
}

func (i Input) id() string {
	if i.ID != "" {
		return i.ID
	}
	return "field-" + i.Name
}

func (i Input) inputType() string {
	if i.Type == "" {
		return "text"
	}
	return i.Type
}

func (i Input) rows() int {
	if i.Rows == 0 {
		return 4
	}
	return i.Rows
}

// attributes are those that input, textarea and select have in common.
func (i Input) attributes() templ.Attributes {
	a := templ.Attributes{"id": i.id(), "name": i.Name, "required": i.Required, "autofocus": i.Autofocus}
	switch {
	case i.Error != "" && i.Help != "":
		a["aria-describedby"] = i.id() + "-error " + i.id() + "-help"
	case i.Error != "":
		a["aria-describedby"] = i.id() + "-error"
	case i.Help != "":
		a["aria-describedby"] = i.id() + "-help"
	}
	if i.Error != "" {
		a["aria-invalid"] = "true"
	}
	return a
}

// typed are the attributes that only some types of input have.
func (i Input) typed() templ.Attributes {
	a := templ.Attributes{}
	for name, value := range map[string]string{
		"autocomplete": i.Autocomplete, "inputmode": i.InputMode, "placeholder": i.Placeholder,
		"pattern": i.Pattern, "accept": i.Accept, "min": i.Min, "max": i.Max, "step": i.Step,
	} {
		if value != "" {
			a[name] = value
		}
	}
	if i.MaxLength > 0 {
		a["maxlength"] = i.MaxLength
	}
	return a
}

// Look is how a button or a link that looks like one stands out.
type Look string

// Primary is for what a page is about, once; Quiet for what one can also do; Danger for
// what can't be undone. The small ones stand in rows and cards.
const (
	Primary      Look = "btn btn-primary"
	Quiet        Look = "btn border-base-content/35 bg-base-100 hover:border-base-content/70 hover:bg-base-200"
	Danger       Look = "btn btn-error btn-outline"
	Wide         Look = "btn btn-primary btn-block"
	SmallPrimary Look = "btn btn-primary btn-sm"
	SmallQuiet   Look = "btn btn-sm border-base-content/35 bg-base-100 hover:border-base-content/70 hover:bg-base-200"
	SmallDanger  Look = "btn btn-error btn-outline btn-sm"
)
