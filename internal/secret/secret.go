// Package secret holds values that do not print: passwords, URLs with
// passwords, keys. Whatever verb, encoder or logger meets one, it writes
// "[secret]"; only Reveal gives the value, so its few uses are easy to audit.
package secret

import "log/slog"

const hidden = "[secret]"

// Text is a secret string.
type Text struct{ value string }

// New wraps a value.
func New(value string) Text { return Text{value} }

// Reveal gives the value. Callers hand it to a driver or a cipher and nowhere else.
func (t Text) Reveal() string { return t.value }

// Empty tells whether there is no value.
func (t Text) Empty() bool { return t.value == "" }

// String, GoString, MarshalText, MarshalJSON and LogValue never give the value.
func (t Text) String() string { return hidden }

// GoString answers %#v.
func (t Text) GoString() string { return hidden }

// MarshalText answers text encoders.
func (t Text) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON answers JSON encoders.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// LogValue answers slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(hidden) }
