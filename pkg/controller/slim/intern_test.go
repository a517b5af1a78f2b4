// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package slim

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestObjectsShareTheStringsThatTheyHaveInCommon(t *testing.T) {
	decoded := func() *Pod {
		return FromPod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: strings.Clone("orders-0"), Labels: map[string]string{strings.Clone("unit-operator.io/unitset"): strings.Clone("orders")},
			OwnerReferences: []metav1.OwnerReference{{Kind: strings.Clone("Unit"), Controller: new(true)}},
		}})
	}
	a, b := decoded(), decoded()
	for name, got := range map[string][2]string{
		"name":       {a.Name, b.Name},
		"label":      {a.Labels["unit-operator.io/unitset"], b.Labels["unit-operator.io/unitset"]},
		"owner kind": {a.OwnerReferences[0].Kind, b.OwnerReferences[0].Kind},
	} {
		if got[0] == "" || unsafe.StringData(got[0]) != unsafe.StringData(got[1]) {
			t.Errorf("the %s is kept twice: %q, %q", name, got[0], got[1])
		}
	}
	if reflect.ValueOf(a.Labels).Pointer() != reflect.ValueOf(b.Labels).Pointer() {
		t.Error("the labels are kept twice")
	}
	other := FromPod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"unit-operator.io/unitset": "other"}}})
	if got := other.Labels["unit-operator.io/unitset"]; got != "other" {
		t.Errorf("label %q", got)
	}
	if a.OwnerReferences[0].Controller != b.OwnerReferences[0].Controller || !*a.OwnerReferences[0].Controller {
		t.Error("whether the owner is the controller is kept twice")
	}
}

func TestNotMoreThanSoManyStringsAreRemembered(t *testing.T) {
	var i interned
	for n := range 3 * internLimit {
		i.of(fmt.Sprint(n))
	}
	if n := len(i.words) + len(i.old); n > internLimit {
		t.Errorf("%d, want at most %d", n, internLimit)
	}
	often := strings.Clone("unit-operator.io/unitset")
	kept := i.of(often)
	for n := range internLimit / 2 {
		i.of(fmt.Sprint("other-", n))
	}
	if unsafe.StringData(i.of(strings.Clone(often))) != unsafe.StringData(kept) {
		t.Error("one that is met again and again is forgotten")
	}
	long := strings.Repeat("x", internLength+1)
	if i.of(long); i.words[long] != "" {
		t.Error("a long one is remembered")
	}
}
