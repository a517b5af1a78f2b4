// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package findings

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/upmio/unit-operator/pkg/controller/conditions"
)

// Finding is why a condition is there.
type Finding struct {
	Reason, Message string
}

// New finding.
func New(reason, format string, args ...any) Finding {
	return Finding{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Set of findings by the type of their condition.
type Set map[string]Finding

// Add a finding, unless the condition has one.
func (s Set) Add(condition, reason, format string, args ...any) {
	if _, ok := s[condition]; !ok {
		s[condition] = New(reason, format, args...)
	}
}

// Because adds a finding whose reason is its condition.
func (s Set) Because(condition, format string, args ...any) {
	s.Add(condition, condition, format, args...)
}

// Has says whether a condition was found.
func (s Set) Has(condition string) bool {
	_, ok := s[condition]
	return ok
}

// First of these conditions that was found.
func (s Set) First(conditions []string) (condition string, f Finding, ok bool) {
	for _, condition := range conditions {
		if f, ok := s[condition]; ok {
			return condition, f, true
		}
	}
	return "", Finding{}, false
}

// Kind is what is known of the conditions of a kind, apart from those that are always
// there.
type Kind struct {
	// Blockers keep an object from being Ready, in the order in which they are named as
	// the reason. Notices are there to be known.
	Blockers, Notices []string
	// Calm conditions are no reason to worry when they become True.
	Calm []string
	// Quiet conditions change too often, or say too little, for an event.
	Quiet []string
}

// Write the findings into conditions that a status has.
func (k Kind) Write(into *[]metav1.Condition, found Set, generation int64, now time.Time) {
	for _, condition := range slices.Concat(k.Blockers, k.Notices) {
		if f, ok := found[condition]; ok {
			f.Write(into, condition, metav1.ConditionTrue, generation, now)
		} else {
			meta.RemoveStatusCondition(into, condition)
		}
	}
}

// Write one condition that is always there, such as Ready.
func (f Finding) Write(into *[]metav1.Condition, condition string, status metav1.ConditionStatus, generation int64, now time.Time) {
	conditions.Set(into, condition, status, f.Reason, f.Message, generation, now)
}
