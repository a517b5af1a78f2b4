// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package child

import (
	"regexp"
	"strings"
)

// near matches what MySQL and PostgreSQL quote of a statement they cannot parse:
// it may start or end in the middle of a secret.
var near = regexp.MustCompile(`(?is)\bnear (['"]).*$`)

// Redact takes secrets, and excerpts of statements, out of a server's message.
func Redact(message string, secrets ...string) string {
	for _, s := range secrets {
		if s != "" {
			message = strings.ReplaceAll(message, s, "***")
		}
	}
	return near.ReplaceAllString(message, "near ***")
}
