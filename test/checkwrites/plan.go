// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package checkwrites

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Fault is what strikes.
type Fault string

const (
	// Switchover asks for another source.
	Switchover Fault = "switchover"
	// KillServer, KillAgent and KillOperator are SIGKILL. The server and the agent are
	// started again by their kubelet, the operator after a while by the test.
	KillServer   Fault = "kill-server"
	KillAgent    Fault = "kill-agent"
	KillOperator Fault = "kill-operator"
	// DeletePod is an ordinary deletion.
	DeletePod Fault = "delete-pod"
	// PowerFailure of the member's node: what was not synced to its volume is gone.
	PowerFailure Fault = "power"
	// CutNode takes the network from the member's node; what runs there runs on.
	CutNode Fault = "cut"
	// FreezeServer stops the server's processes (SIGSTOP) and continues them.
	FreezeServer Fault = "freeze"
	// Pair is two of the others at once.
	Pair Fault = "pair"
	// ForcedFailover makes a replica the source by force, after both had received nothing
	// for a while. It loses what was acknowledged meanwhile: that is what the mode
	// rpl_async does not promise, and the proof that a loss is found.
	ForcedFailover Fault = "forced-failover"
)

// All that replication must survive, in the order in which they are listed to people.
var All = []Fault{Switchover, KillServer, KillAgent, KillOperator, DeletePod, PowerFailure, CutNode, FreezeServer, Pair}

// Victim is whom a fault strikes.
type Victim string

const (
	Source  Victim = "source"
	Replica Victim = "replica"
	// Nobody: it strikes the whole Replication.
	Nobody Victim = ""
)

// Strike of one fault.
type Strike struct {
	Fault  Fault
	Victim Victim
	// After the first strike of the round.
	After time.Duration
	// Hold is how long it lasts, of those that are ended by the test.
	Hold time.Duration
}

func (s Strike) String() string {
	if s.Victim == Nobody {
		return string(s.Fault)
	}
	return fmt.Sprintf("%s of %s", s.Fault, s.Victim)
}

// Round is what strikes at once.
type Round struct {
	Number  int
	Strikes []Strike
}

// Name by which rounds are reported together.
func (r Round) Name() string {
	if len(r.Strikes) > 1 {
		return string(Pair)
	}
	return r.Strikes[0].String()
}

func (r Round) String() string {
	words := make([]string, 0, len(r.Strikes))
	for _, s := range r.Strikes {
		words = append(words, fmt.Sprintf("%s (after %v, for %v)", s, s.After.Round(time.Millisecond), s.Hold.Round(time.Millisecond)))
	}
	return fmt.Sprintf("round %d: %s", r.Number, strings.Join(words, " and "))
}

// ParseFaults reads a list with commas; "" is all.
func ParseFaults(list string) ([]Fault, error) {
	if list == "" {
		return All, nil
	}
	var out []Fault
	for word := range strings.SplitSeq(list, ",") {
		f := Fault(strings.TrimSpace(word))
		if f != ForcedFailover && !slices.Contains(All, f) {
			return nil, fmt.Errorf("%q is no fault; there are %v and %s", f, All, ForcedFailover)
		}
		out = append(out, f)
	}
	return out, nil
}

// Plan is the rounds of a seed. The faults are dealt like cards: each occurs once before
// any occurs again, so that as many rounds as faults have all of them. Holds are between
// the shortest and the longest.
func Plan(seed uint64, rounds int, faults []Fault, shortest, longest time.Duration) []Round {
	random := rand.New(rand.NewPCG(seed, 0))
	strike := func(f Fault) Strike {
		s := Strike{Fault: f, Hold: shortest}
		if longest > shortest {
			s.Hold += time.Duration(random.Int64N(int64(longest - shortest)))
		}
		switch f {
		case Switchover, KillOperator, ForcedFailover:
		default:
			// Two of three strike the source, where it hurts.
			s.Victim = Source
			if random.IntN(3) == 0 {
				s.Victim = Replica
			}
		}
		return s
	}
	var deck []Fault
	out := make([]Round, 0, rounds)
	for number := 1; number <= rounds; number++ {
		if len(deck) == 0 {
			deck = slices.Clone(faults)
			random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		dealt := deck[0]
		deck = deck[1:]
		r := Round{Number: number}
		if dealt == Pair {
			two := random.Perm(len(pairable))[:2]
			second := strike(pairable[two[1]])
			second.After = time.Duration(random.Int64N(int64(2 * time.Second)))
			r.Strikes = []Strike{strike(pairable[two[0]]), second}
		} else {
			r.Strikes = []Strike{strike(dealt)}
		}
		out = append(out, r)
	}
	return out
}

// pairable are all but Pair itself.
var pairable = slices.DeleteFunc(slices.Clone(All), func(f Fault) bool { return f == Pair })
