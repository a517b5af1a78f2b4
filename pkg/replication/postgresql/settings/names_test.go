// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// awkward names of units: those of Kubernetes that mean something to PostgreSQL, and some
// that Kubernetes would refuse.
var awkward = []string{
	"orders-0", "orders-1", "any", "any-0", "first", "first-0", "a-b-0", "0", "0-1", "1a", "a.b", "a.b-0", "a--b", "a",
	"A", "a_b", "A-b", "a-B", "*", "", "ä", "a b", `a"b`, "a'b", "a,b", "(a)", "a\\", "a\nb", "unit-member-0", "unit_member_a",
	strings.Repeat("n", 51), strings.Repeat("n", 52), strings.Repeat("n", 59), strings.Repeat("n", 63), strings.Repeat("n", 64),
	strings.Repeat("n", 63) + "-0", strings.Repeat("n", 63) + "-1", strings.Repeat("n", 300),
}

func TestNamesAreNeverShared(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	units := append([]string{}, awkward...)
	for range 5000 {
		units = append(units, randomText(rng, "abA0-._\" *", 70))
	}
	slots, applications := map[string]string{}, map[string]string{}
	for _, unit := range units {
		slot := SlotName(unit)
		if !ValidSlotName(slot) || !IsMemberSlot(slot) {
			t.Errorf("seed %d: the slot of %q is %q", seed, unit, slot)
		}
		if other, ok := slots[slot]; ok && other != unit {
			t.Errorf("seed %d: %q and %q share the slot %s", seed, unit, other, slot)
		}
		slots[slot] = unit
		for _, application := range []string{ApplicationName(unit), ProvisionName(unit)} {
			if application == "" || len(application) > MaxName || strings.Trim(application, "abcdefghijklmnopqrstuvwxyz0123456789-./") != "" {
				t.Errorf("seed %d: %q is known as %q", seed, unit, application)
			}
			if other, ok := applications[application]; ok && other != unit {
				t.Errorf("seed %d: %q and %q are both known as %s", seed, unit, other, application)
			}
			applications[application] = unit
		}
		if ApplicationName(unit) == ProvisionName(unit) {
			t.Errorf("seed %d: who copies %q is known by its name", seed, unit)
		}
	}
}

func randomText(rng *rand.Rand, alphabet string, most int) string {
	var b strings.Builder
	for range rng.IntN(most + 1) {
		b.WriteByte(alphabet[rng.IntN(len(alphabet))])
	}
	return b.String()
}

func TestNamesOfUsualUnits(t *testing.T) {
	if got := SlotName("orders-1"); got != "unit_member_orders_1" {
		t.Errorf("its slot is %s", got)
	}
	if got := ApplicationName("orders-1"); got != "orders-1" {
		t.Errorf("it is known as %s", got)
	}
	if got := ProvisionName("orders-1"); got != "orders-1/provision" {
		t.Errorf("who copies it is known as %s", got)
	}
	for _, slot := range []string{"unit_agent_wal_0123", "somebodys", "", "unit_membe"} {
		if IsMemberSlot(slot) {
			t.Errorf("%q was made for a member", slot)
		}
	}
}

func TestValidSlotName(t *testing.T) {
	for slot, want := range map[string]bool{
		"a": true, "0": true, "_": true, "a_0": true, strings.Repeat("a", 63): true,
		"": false, "A": false, "a-b": false, "a.b": false, "ä": false, "a b": false, strings.Repeat("a", 64): false,
	} {
		if got := ValidSlotName(slot); got != want {
			t.Errorf("%q: %v", slot, got)
		}
	}
}
