// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"fmt"
	"time"
)

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("try again after %v", e.after)
	}
	return e.err.Error()
}

func (e *retryAfterError) Unwrap() error { return e.err }

// RetryAfter is a wait for something that raises no event: tried again after d, not
// counted as a failure. err says what is waited for and may be nil.
func RetryAfter(err error, d time.Duration) error { return &retryAfterError{err: err, after: d} }

type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }
