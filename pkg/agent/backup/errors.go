// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package backup

import (
	"errors"
	"fmt"
	"strings"
)

// Reasons of failures, in the CamelCase of a GrpcCall's status.
const (
	ReasonInvalid     = "InvalidLocation"
	ReasonCredentials = "StoreCredentialsRefused"
	ReasonUnreachable = "StoreUnreachable"
	ReasonFull        = "StoreFull"
	ReasonStore       = "StoreFailed"
	ReasonNotFound    = "BackupNotFound"
	ReasonAmbiguous   = "BackupAmbiguous"
	ReasonExists      = "BackupExists"
	ReasonManifest    = "ManifestInvalid"
	ReasonCorrupt     = "BackupCorrupt"
	ReasonKey         = "EncryptionKeyWrong"
	ReasonChain       = "ChainBroken"
)

// Error is a failure with a reason for status. Its text names the endpoint and is
// free of credentials.
type Error struct {
	// Reason is one of the Reason constants.
	Reason string
	// Endpoint is the store's, empty where none is involved.
	Endpoint string
	message  string
	cause    error
}

func (e *Error) Error() string {
	if e.Endpoint == "" {
		return e.message
	}
	return e.Endpoint + ": " + e.message
}

// Unwrap returns what is below, if anything.
func (e *Error) Unwrap() error { return e.cause }

// ReasonOf returns the reason of a failure of this package, else "".
func ReasonOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

func failure(reason, endpoint string, cause error, format string, args ...any) *Error {
	return &Error{Reason: reason, Endpoint: endpoint, cause: cause, message: fmt.Sprintf(format, args...)}
}

// redact removes what must not be shown from a text of somebody else's.
func redact(text string, secrets ...string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "<redacted>")
		}
	}
	return text
}
