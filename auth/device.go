package auth

import (
	"crypto/rand"

	"jishi/auth/authclient"
)

// A browser in which somebody has logged in keeps a device cookie: with it wrong passwords are
// counted for that browser alone, so that strangers who guess at an identifier can't keep its user
// out there. It opens nothing.
// https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies

// devicePurpose binds a cookie to one identifier: for another one it can't be opened.
func devicePurpose(who identifier) string { return "device of " + string(who) }

// DeviceCookie is a new device cookie for somebody who has just proved who they are.
func (s *Service) DeviceCookie(u authclient.User) string {
	return s.sealer.Seal(devicePurpose(identifier(u.Identifier)), []byte(rand.Text()))
}

// device names the browser that a device cookie was given to, if that was for this identifier.
func (s *Service) device(who identifier, cookie string) (string, bool) {
	name, err := s.sealer.Open(devicePurpose(who), cookie)
	return string(name), err == nil
}
