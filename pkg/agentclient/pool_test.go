// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/upmio/unit-operator/pkg/agenttls"
)

func TestADeadAgentIsGivenRest(t *testing.T) {
	// gRPC's own timers stand still in the bubble.
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		passive := clocktesting.NewFakePassiveClock(time.Now())
		c := New(Options{Operator: agenttls.NewOperator(n.ca, clock.RealClock{}), Dialer: n, Clock: passive})
		defer c.Close()
		fails := func() {
			t.Helper()
			if _, err := c.Status(t.Context(), unit()); !IsUnavailable(err) {
				t.Errorf("got %v", err)
			}
		}
		// Once, then after 1 s, 2 s, 4 s, ... 30 s at most.
		for i, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			fails()
			if got := n.dialled(); got != i+1 {
				t.Fatalf("after rest %d: %d dials", i, got)
			}
			passive.SetTime(passive.Now().Add(pause*time.Second - time.Millisecond))
			fails()
			if got := n.dialled(); got != i+1 {
				t.Fatalf("rest %d was too short: %d dials", i, got)
			}
			passive.SetTime(passive.Now().Add(time.Millisecond))
		}
		// It is back, and the next failure starts from the beginning.
		server := n.stub(t, unit(), &stub{})
		if _, err := c.Status(t.Context(), unit()); err != nil {
			t.Fatalf("it is back: %v", err)
		}
		server.Stop()
		n.listen(unit().PodIP, false)
		synctest.Wait() // the client has noticed
		fails()
		dials := n.dialled()
		passive.SetTime(passive.Now().Add(time.Second))
		fails()
		if n.dialled() != dials+1 {
			t.Errorf("%d dials: the rest after a success is not the first one", n.dialled()-dials)
		}
	})
}

func TestTheMessageAtRestStaysTheSame(t *testing.T) {
	n := newNetwork(t)
	passive := clocktesting.NewFakePassiveClock(time.Now())
	c := n.client(t, passive)
	message := func() string {
		_, err := c.Status(t.Context(), unit())
		if err == nil {
			t.Fatal("no error")
		}
		return err.Error()
	}
	message()
	first := message()
	passive.SetTime(passive.Now().Add(500 * time.Millisecond))
	if diff := cmp.Diff(first, message()); diff != "" {
		t.Errorf("a condition would be written each time:\n%s", diff)
	}
}

func TestWhatIsNotTheAgentsFaultDoesNotSendItToRest(t *testing.T) {
	for name, answer := range map[string]codes.Code{"a refusal": codes.FailedPrecondition, "a full disk": codes.Internal, "busy": codes.ResourceExhausted} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			s := &stub{answer: func() error { return status.Error(answer, "x") }}
			n.stub(t, unit(), s)
			c := n.client(t, clocktesting.NewFakePassiveClock(time.Now()))
			if _, err := c.Status(t.Context(), unit()); err == nil {
				t.Fatal("no error")
			}
			s.answer = nil
			if _, err := c.Status(t.Context(), unit()); err != nil {
				t.Errorf("then: %v", err)
			}
		})
	}
	t.Run("the caller gave up", func(t *testing.T) {
		n := newNetwork(t)
		n.stub(t, unit(), &stub{})
		c := n.client(t, clocktesting.NewFakePassiveClock(time.Now()))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Status(ended, unit()); err == nil {
			t.Fatal("no error")
		}
		if _, err := c.Status(t.Context(), unit()); err != nil {
			t.Errorf("then: %v", err)
		}
	})
}

func pod(i int) Target {
	id := fmt.Sprint(i)
	return Target{Namespace: "ns", Unit: "u-" + id, UnitUID: types.UID("unit-" + id), Pod: "u-" + id, PodUID: types.UID("pod-" + id), PodIP: "10.0.0." + id}
}

func TestTheConnectionUsedLongestAgoIsDropped(t *testing.T) {
	p := newNetwork(t).client(t, clock.RealClock{}).pool
	get := func(i int) *grpc.ClientConn {
		t.Helper()
		conn, err := p.get(pod(i))
		if err != nil {
			t.Fatal(err)
		}
		return conn.(*grpc.ClientConn)
	}
	var conns []*grpc.ClientConn
	for i := range maxConnections {
		conns = append(conns, get(i))
	}
	get(0) // used again
	get(maxConnections)
	for i, conn := range conns {
		if closed := conn.GetState() == connectivity.Shutdown; closed != (i == 1) {
			t.Errorf("connection %d: closed %v", i, closed)
		}
	}
	if len(p.entries) != maxConnections || p.used.Len() != maxConnections {
		t.Errorf("%d entries, %d in the list", len(p.entries), p.used.Len())
	}
	p.forget(pod(0).PodUID)
	if conns[0].GetState() != connectivity.Shutdown {
		t.Error("a forgotten pod's connection is open")
	}
	p.close()
	if conns[2].GetState() != connectivity.Shutdown || len(p.entries) != 0 {
		t.Error("connections are open after the end")
	}
}

func TestAPodWithAnotherAddressIsDialledThere(t *testing.T) {
	n := newNetwork(t)
	first, second := unit(), unit()
	second.PodIP = "10.0.0.2"
	n.stub(t, second, &stub{})
	c := n.client(t, clocktesting.NewFakePassiveClock(time.Now()))
	// The rest belongs to the old address.
	if _, err := c.Status(t.Context(), first); !IsUnavailable(err) {
		t.Fatalf("got %v", err)
	}
	for range 2 {
		if _, err := c.Status(t.Context(), second); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "10.0.0.2"}, n.dials); diff != "" {
		t.Error(diff)
	}
	if len(c.pool.entries) != 1 {
		t.Errorf("%d entries for one pod", len(c.pool.entries))
	}
}

func TestNoMoreThanSixteenFirstContactsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		var mu sync.Mutex
		var dials int
		var agents []net.Conn
		// Agents that are reached and do not say a word: the handshake is under way.
		silent := DialerFunc(func(context.Context, Target) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			ours, theirs := net.Pipe()
			agents = append(agents, theirs)
			dials++
			return ours, nil
		})
		c := New(Options{Operator: agenttls.NewOperator(n.ca, clock.RealClock{}), Dialer: silent})
		defer c.Close()
		var wg sync.WaitGroup
		for i := range 3 * firstContacts {
			wg.Go(func() {
				if _, err := c.Status(t.Context(), pod(i)); !IsUnavailable(err) {
					t.Errorf("pod %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		mu.Lock()
		if dials != firstContacts {
			t.Errorf("%d at a time", dials)
		}
		// One that ends makes room for one.
		_ = agents[0].Close()
		mu.Unlock()
		synctest.Wait()
		mu.Lock()
		if dials != firstContacts+1 {
			t.Errorf("%d after one ended", dials)
		}
		mu.Unlock()
		wg.Wait()
		if len(c.pool.contacts) != 0 {
			c.Close()
			synctest.Wait()
		}
		if left := len(c.pool.contacts); left != 0 {
			t.Errorf("%d places were never given back", left)
		}
	})
}
