package ui

import (
	"strings"

	"jishi/kit/id"
)

// Tone is what a colour says; it never says it alone, there is always a text.
type Tone string

// The tones of alerts and badges.
const (
	Plain Tone = "plain" // no more than a fact
	Info  Tone = "info"  // it is under way
	Good  Tone = "good"  // it is done
	Warn  Tone = "warn"  // somebody should act
	Bad   Tone = "bad"   // it didn't work
)

// alertClass and badgeClass spell whole class names: the stylesheet is made of those
// that stand in the sources.
var alertClass = map[Tone]string{
	Plain: "alert mb-4 border-base-300 bg-base-100",
	Info:  "alert alert-info alert-soft mb-4",
	Good:  "alert alert-success alert-soft mb-4",
	Warn:  "alert mb-4 border-warning bg-warning/20",
	Bad:   "alert alert-error alert-soft mb-4",
}

var badgeClass = map[Tone]string{
	Plain: "badge border-transparent bg-base-300",
	Info:  "badge badge-info badge-soft",
	Good:  "badge badge-success badge-soft",
	Warn:  "badge badge-warning",
	Bad:   "badge badge-error badge-soft",
}

var toneIcon = map[Tone]string{Plain: "info", Info: "info", Good: "check", Warn: "warning", Bad: "warning"}

// tints are the grounds of placeholders, each with its letter.
var tints = []string{
	"bg-primary/10 text-primary/50",
	"bg-secondary/10 text-secondary/50",
	"bg-accent/15 text-base-content/40",
	"bg-info/10 text-info/50",
	"bg-base-300/70 text-base-content/40",
}

func tintOf(title string) string {
	sum := 0
	for _, r := range title {
		sum += int(r)
	}
	return tints[sum%len(tints)]
}

// alertRole makes what went wrong be read out at once.
func alertRole(t Tone) string {
	if t == Bad || t == Warn {
		return "alert"
	}
	return "status"
}

// Image is a picture in one file, or in several to choose from by their width.
type Image struct {
	URL   string
	Files string // addresses with their widths (the attribute srcset), or ""
	Sizes string // how wide the picture is shown (the attribute sizes); with Files
}

// Link is an address with its text.
type Link struct{ URL, Text string }

// Head is what stands above a column of a table; Money above one of amounts.
type Head struct {
	Text  string
	Money bool
}

// Fact is a name with its value; URL, if there is one, makes the value a link.
type Fact struct{ Name, Value, URL string }

// isID tells ids, which are long for where they stand.
func isID(s string) bool {
	prefix, _, _ := strings.Cut(s, "_")
	return id.Valid(prefix, s)
}
