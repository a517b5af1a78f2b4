// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package postgresql

import (
	"testing"
	"time"
)

func TestWalsenderHasReadTheConfiguration(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	one := walsender{pid: 1, started: at(0)}
	type look struct {
		loaded, answered time.Time
		want             bool
	}
	for name, looks := range map[string][]look{
		"one that began after the load has it from its start":    {{at(-1), at(5), true}},
		"one that is silent has not":                             {{at(10), at(5), false}, {at(10), at(5), false}, {at(10), at(5), false}},
		"one answer may have been taken before it read":          {{at(10), at(5), false}, {at(10), at(11), false}},
		"the second answer is proof":                             {{at(10), at(5), false}, {at(10), at(11), false}, {at(10), at(12), true}, {at(10), at(12), true}},
		"another load begins again":                              {{at(10), at(5), false}, {at(10), at(11), false}, {at(10), at(12), true}, {at(20), at(13), false}, {at(20), at(14), false}, {at(20), at(15), true}},
		"a clock that is set back is an answer as any other":     {{at(10), at(5), false}, {at(10), at(3), false}, {at(10), at(1), true}},
		"answers before the load count for nothing":              {{at(2), at(5), false}, {at(2), at(6), false}, {at(10), at(7), false}, {at(10), at(7), false}},
		"one that has never answered is not taken for answering": {{at(10), time.Time{}, false}, {at(10), time.Time{}, false}, {at(10), time.Time{}, false}},
	} {
		t.Run(name, func(t *testing.T) {
			var r reloads
			for i, l := range looks {
				if got := r.look(l.loaded, []sight{{one, l.answered}}); got[0] != l.want {
					t.Errorf("look %d: got %v", i, got[0])
				}
			}
		})
	}
	t.Run("another process of the same number begins from scratch", func(t *testing.T) {
		var r reloads
		for i, second := range []int{5, 11, 12} {
			if got := r.look(at(10), []sight{{one, at(second)}}); got[0] != (i == 2) {
				t.Errorf("look %d: got %v", i, got[0])
			}
		}
		if got := r.look(at(10), []sight{{walsender{pid: 1, started: at(9)}, at(13)}}); got[0] {
			t.Error("it is taken for the one before")
		}
		if len(r.seen) != 1 {
			t.Errorf("%d walsenders are remembered", len(r.seen))
		}
	})
}
