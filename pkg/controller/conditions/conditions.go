// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conditions sets conditions so that a condition changes only when what
// it says changes.
package conditions

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxMessage is how long the API lets a condition's message be, in bytes.
const maxMessage = 32768

// MaxNote is how long the API lets the note of an event be, in bytes. One that is
// longer is refused, and lost.
const MaxNote = 1024

// Cut a text to n bytes at most, between characters.
func Cut(text string, n int) string {
	const more = "..."
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n-len(more)], "") + more
}

// Set puts a condition in place and tells whether its status, reason or message
// changed. lastTransitionTime moves only with the status.
func Set(conds *[]metav1.Condition, condType string, status metav1.ConditionStatus, reason, message string, generation int64, now time.Time) bool {
	message = Cut(message, maxMessage)
	wanted := metav1.Condition{
		Type: condType, Status: status, Reason: reason, Message: message,
		ObservedGeneration: generation, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	old := Find(*conds, condType)
	if old == nil {
		*conds = append(*conds, wanted)
		return true
	}
	changed := old.Status != status || old.Reason != reason || old.Message != message
	if old.Status == status {
		wanted.LastTransitionTime = old.LastTransitionTime
	}
	*old = wanted
	return changed
}

// Remove takes a condition away and tells whether it was there.
func Remove(conds *[]metav1.Condition, condType string) bool {
	n := len(*conds)
	*conds = slices.DeleteFunc(*conds, func(c metav1.Condition) bool { return c.Type == condType })
	return len(*conds) != n
}

// Find returns the condition of a type, nil if there is none. It points into
// conds.
func Find(conds []metav1.Condition, condType string) *metav1.Condition {
	for i := range conds {
		if conds[i].Type == condType {
			return &conds[i]
		}
	}
	return nil
}

// IsTrue tells whether a condition is there and True.
func IsTrue(conds []metav1.Condition, condType string) bool {
	c := Find(conds, condType)
	return c != nil && c.Status == metav1.ConditionTrue
}
