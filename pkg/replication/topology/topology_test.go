// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package topology

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
)

func entry(w int32, members ...string) v1alpha1.ReplicationDurabilityEntry {
	e := v1alpha1.ReplicationDurabilityEntry{Source: "s", W: w}
	for _, m := range members {
		e.Members = append(e.Members, v1alpha1.DurabilityMember{Name: m, ServerUUID: "id-" + m})
	}
	return e
}

func voters(names ...string) Voters {
	v := Voters{}
	for _, n := range names {
		v[n] = "id-" + n
	}
	return v
}

func TestHoldAll(t *testing.T) {
	type entries = []v1alpha1.ReplicationDurabilityEntry
	for name, tc := range map[string]struct {
		entries entries
		voters  Voters
		want    bool
	}{
		"nothing is promised":                           {nil, voters("a", "b"), false},
		"nobody was waited for":                         {entries{entry(0)}, voters("a", "b"), false},
		"1 of 2, both answer":                           {entries{entry(1, "a", "b")}, voters("a", "b"), true},
		"1 of 2, one answers":                           {entries{entry(1, "a", "b")}, voters("a"), false},
		"2 of 2, one answers":                           {entries{entry(2, "a", "b")}, voters("a"), true},
		"2 of 3, two answer":                            {entries{entry(2, "a", "b", "c")}, voters("a", "c"), true},
		"2 of 3, one answers":                           {entries{entry(2, "a", "b", "c")}, voters("c"), false},
		"others than the members do not count":          {entries{entry(1, "a", "b")}, voters("a", "c", "d"), false},
		"a member with another server does not count":   {entries{entry(1, "a", "b")}, Voters{"a": "id-a", "b": "id-new"}, false},
		"each entry has to hold":                        {entries{entry(1, "a", "b"), entry(2, "a", "b", "c")}, voters("b", "c"), false},
		"each entry holds":                              {entries{entry(1, "a", "b"), entry(2, "a", "b", "c")}, voters("a", "b"), true},
		"the server that committed holds its own":       {entries{entry(1, "a", "b")}, Voters{"old": "s"}, true},
		"one that nobody was waited for is for ever no": {entries{entry(0), entry(1, "a")}, voters("a"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := HoldAll(tc.entries, tc.voters); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// For all sizes: any W of N and any R of them have a member in common if and only if
// HoldAll says so.
func TestHoldAllIsTheOverlapOfAnyTwoSets(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	for n := 1; n <= len(names); n++ {
		for w := 1; w <= n; w++ {
			for set := range 1 << n {
				var answering []string
				for i := range n {
					if set&(1<<i) != 0 {
						answering = append(answering, names[i])
					}
				}
				overlap := true
				for acks := range 1 << n {
					if bits(acks) == w && acks&set == 0 {
						overlap = false
					}
				}
				got := HoldAll([]v1alpha1.ReplicationDurabilityEntry{entry(int32(w), names[:n]...)}, voters(answering...)) //nolint:gosec // At most 5.
				if got != overlap {
					t.Errorf("W=%d of %d, %v answer: %v, want %v", w, n, answering, got, overlap)
				}
			}
		}
	}
}

func bits(n int) int {
	c := 0
	for ; n > 0; n >>= 1 {
		c += n & 1
	}
	return c
}

func TestWaits(t *testing.T) {
	for n, want := range []int32{0, 1, 1, 2, 2, 3} {
		if got := (Durability{}).Waits(n); got != want {
			t.Errorf("of %d: %d, want %d", n, got, want)
		}
	}
	if got := (Durability{Replicas: 2}).Waits(1); got != 1 {
		t.Errorf("2 of 1: %d", got)
	}
}

func TestProof(t *testing.T) {
	f := Fence{Epoch: 8, Replication: "r", Pod: "p"}
	closed := Observed{PodUID: "p", Epoch: 8, Answered: true, ReadOnly: true, Record: &Record{Replication: "r", Epoch: 8, Role: RoleIsolated}}
	stopped := Observed{PodUID: "p", Epoch: 8, Holds: []string{HoldFence}, HoldsOrder: 2, StopOrder: 2, StopProven: true}
	edit := func(o Observed, e func(o *Observed)) *Observed {
		if o.Record != nil {
			r := *o.Record
			o.Record = &r
		}
		e(&o)
		return &o
	}
	for name, tc := range map[string]struct {
		member   Member
		observed *Observed
		want     v1alpha1.FenceProof
	}{
		"closed in this operation":                 {Member{PodUID: "p"}, &closed, v1alpha1.FenceClosed},
		"closed in the one before":                 {Member{PodUID: "p"}, edit(closed, func(o *Observed) { o.Record.Epoch = 7 }), ""},
		"recorded, and not read-only":              {Member{PodUID: "p"}, edit(closed, func(o *Observed) { o.ReadOnly = false }), ""},
		"recorded, and no answer of the server":    {Member{PodUID: "p"}, edit(closed, func(o *Observed) { o.Answered = false }), ""},
		"by a record of another replication":       {Member{PodUID: "p"}, edit(closed, func(o *Observed) { o.Record.Replication = "other" }), ""},
		"read-only by itself, still the source":    {Member{PodUID: "p"}, edit(closed, func(o *Observed) { o.Record.Role = RoleSource }), ""},
		"another pod answers than the API knows":   {Member{PodUID: "q"}, &closed, ""},
		"held and proven stopped":                  {Member{PodUID: "p"}, &stopped, v1alpha1.FenceStopped},
		"held, not proven":                         {Member{PodUID: "p"}, edit(stopped, func(o *Observed) { o.StopProven = false }), ""},
		"proven before the hold":                   {Member{PodUID: "p"}, edit(stopped, func(o *Observed) { o.StopOrder = 1 }), ""},
		"held in the operation before":             {Member{PodUID: "p"}, edit(stopped, func(o *Observed) { o.Epoch = 7 }), ""},
		"stopped by another hold only":             {Member{PodUID: "p"}, edit(stopped, func(o *Observed) { o.Holds = []string{"startup"} }), ""},
		"its pod is gone":                          {Member{}, nil, ""},
		"its pod's end is proven":                  {Member{EndedPodUID: "p"}, nil, v1alpha1.FencePodEnded},
		"the end of an earlier pod is proven":      {Member{EndedPodUID: "o"}, nil, ""},
		"its pod ended, and the next is not known": {Member{EndedPodUID: "p", PodUID: "q"}, nil, ""},
		"nobody answers":                           {Member{PodUID: "p"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := f.Proof(tc.member, tc.observed); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	t.Run("no pod is known to have had the role", func(t *testing.T) {
		if got := (Fence{Epoch: 8, Replication: "r"}).Proof(Member{}, nil); got != "" {
			t.Errorf("got %q", got)
		}
	})
}

func TestSorted(t *testing.T) {
	for name, tc := range map[string]struct {
		candidates []Candidate
		followers  []string
		want       []string
	}{
		"the first of equals":                      {[]Candidate{{Name: "b", Ordinal: 1}, {Name: "a"}}, nil, []string{"a", "b"}},
		"the highest priority":                     {[]Candidate{{Name: "a", Priority: 1}, {Name: "b", Priority: 2, Ordinal: 1}}, nil, []string{"b", "a"}},
		"one without a delay before any priority":  {[]Candidate{{Name: "a", Priority: 9, Delay: time.Hour}, {Name: "b", Ordinal: 1}}, nil, []string{"b", "a"}},
		"one that stays before any other":          {[]Candidate{{Name: "a", Evacuated: true, Priority: 9}, {Name: "b", Delay: time.Hour, Ordinal: 1}}, nil, []string{"b", "a"}},
		"one that the oldest follower can follow":  {[]Candidate{{Name: "a", Version: "9.7.0", Priority: 9}, {Name: "b", Version: "8.4.10", Ordinal: 1}}, []string{"9.7.0", "8.4.10"}, []string{"b", "a"}},
		"versions are numbers":                     {[]Candidate{{Name: "a", Version: "8.4.10"}, {Name: "b", Version: "8.4.9", Ordinal: 1}}, []string{"8.4.9"}, []string{"b", "a"}},
		"a version that is not known is as others": {[]Candidate{{Name: "a"}, {Name: "b", Version: "8.4.9", Ordinal: 1}}, []string{"8.4.9"}, []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range Sorted(tc.candidates, tc.followers) {
				got = append(got, c.Name)
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// Sources of one identity, as all servers of a PostgreSQL database have, are distinguished
// by their timelines: nobody has acknowledged to the one what the other committed.
func TestPromisesOfAnotherTimelineAreOfAnotherSource(t *testing.T) {
	on := func(timeline int64, e v1alpha1.ReplicationDurabilityEntry) v1alpha1.ReplicationDurabilityEntry {
		e.Timeline = timeline
		return e
	}
	type list = []v1alpha1.ReplicationDurabilityEntry
	for name, tc := range map[string]struct {
		before list
		next   v1alpha1.ReplicationDurabilityEntry
		want   list
	}{
		"on another timeline": {list{on(1, entry(2, "a", "b"))}, on(2, entry(1, "c")), list{on(1, entry(2, "a", "b")), on(2, entry(1, "c"))}},
		"on the same": {list{on(2, entry(2, "a", "b"))}, on(2, entry(1, "c")),
			list{on(2, entry(2, "a", "b")), on(2, entry(1, "c", "a", "b")), on(2, entry(1, "c"))}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Promising(tc.before, tc.next)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
