// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestATextIsCutBetweenCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"short":        "short",
		"exactly ten":  "exactly...",
		"ten bytes.":   "ten bytes.",
		"12345ü890123": "12345ü...",
		"123456ü90123": "123456...",
	} {
		got := Cut(text, 10)
		if got != want || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// A longer one would fail each write of the status.
func TestAMessageIsNoLongerThanTheAPITakes(t *testing.T) {
	var conds []metav1.Condition
	Set(&conds, "A", metav1.ConditionTrue, "A", strings.Repeat("x", 40000), 1, time.Now())
	if n := len(conds[0].Message); n != maxMessage {
		t.Errorf("%d bytes", n)
	}
	if Set(&conds, "A", metav1.ConditionTrue, "A", strings.Repeat("x", 40000), 1, time.Now()) {
		t.Error("the same message counts as a change")
	}
}
