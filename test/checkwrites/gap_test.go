// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"context"
	"testing"
	"time"
)

// write that was acknowledged to a client.
func write(client, begun, ended int) Write {
	return Write{Client: client, Begun: at(begun), Ended: at(ended), Acknowledged: true}
}

func TestGap(t *testing.T) {
	failed := func(client, begun, ended int) Write {
		w := write(client, begun, ended)
		w.Acknowledged = false
		return w
	}
	for _, tc := range []struct {
		name   string
		writes []Write
		want   int
	}{
		{name: "the longest time between two acknowledgements", writes: []Write{write(0, 1000, 1005), write(0, 1100, 1105), write(0, 1200, 1700), write(0, 1710, 1990)}, want: 595},
		{name: "what failed acknowledges nothing", writes: []Write{write(0, 1000, 1005), failed(0, 1100, 1105), write(0, 1900, 1905)}, want: 900},
		{name: "the worst client's, though others were served", writes: []Write{write(0, 0, 1000), write(1, 0, 1000), write(1, 0, 1500), write(0, 0, 1900), write(1, 0, 1950)}, want: 900},
		{name: "one that reaches into the window counts whole", writes: []Write{write(0, 0, 100), write(0, 0, 1400), write(0, 0, 1990)}, want: 1300},
		{name: "one that reaches out of the window counts whole", writes: []Write{write(0, 0, 1990), write(0, 0, 2990)}, want: 1000},
		{name: "one before the window does not count", writes: []Write{write(0, 0, 100), write(0, 0, 900), write(0, 0, 1100), write(0, 0, 1950)}, want: 850},
		{name: "one after the window does not count", writes: []Write{write(0, 0, 1900), write(0, 0, 2010), write(0, 0, 4000)}, want: 110},
		{name: "one that does not end is as long as is known", writes: []Write{write(0, 0, 1200)}, want: 800},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := Gap(tc.writes, at(1000), at(2000)); got != time.Duration(tc.want)*time.Millisecond {
				t.Errorf("%v, want %d ms", got, tc.want)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i))
	}
	for _, tc := range []struct {
		of   []time.Duration
		p    float64
		want time.Duration
	}{
		{hundred, 50, 50}, {hundred, 99, 99}, {hundred, 100, 100},
		{hundred[:1], 99, 100}, {nil, 99, 0},
	} {
		if got := percentile(tc.of, tc.p); got != tc.want {
			t.Errorf("p%v of %d is %d, want %d", tc.p, len(tc.of), got, tc.want)
		}
	}
}

func TestStalls(t *testing.T) {
	t.Run("the worst that reaches into the window", func(t *testing.T) {
		var s Stalls
		s.add(at(900), 800*time.Millisecond)
		s.add(at(1100), 150*time.Millisecond)
		s.add(at(1500), 200*time.Millisecond)
		s.add(at(2300), 400*time.Millisecond)
		s.add(at(3000), 900*time.Millisecond)
		if got := s.Worst(at(1000), at(2000)); got != 400*time.Millisecond {
			t.Errorf("%v", got)
		}
		if got := s.Worst(at(1550), at(1800)); got != 0 {
			t.Errorf("%v, want none", got)
		}
	})
	t.Run("the measurement ends with its context", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		new(Stalls).Measure(ctx)
	})
}
