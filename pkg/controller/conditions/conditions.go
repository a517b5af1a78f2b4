// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conditions sets conditions so that a condition changes only when what
// it says changes.
package conditions

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
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
	old := meta.FindStatusCondition(*conds, condType)
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
