// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

func TestPodIPDialsTheAgentsPort(t *testing.T) {
	const ip = "127.22.14.1"
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "2214"))
	if err != nil {
		t.Skipf("an address of our own is needed: %v", err)
	}
	defer listener.Close()
	conn, err := PodIP().Dial(t.Context(), Target{Pod: "u-0", PodIP: ip})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.RemoteAddr().String(); got != ip+":2214" {
		t.Errorf("dialled %s", got)
	}
	if _, err := PodIP().Dial(t.Context(), Target{Pod: "u-0"}); err == nil || !strings.Contains(err.Error(), "u-0") {
		t.Errorf("a pod without an address: %v", err)
	}
}

func TestAutoRemembersWhatWorked(t *testing.T) {
	var log []string
	var broken map[string]bool
	dialer := func(name string) Dialer {
		return DialerFunc(func(_ context.Context, t Target) (net.Conn, error) {
			log = append(log, name+" "+t.Pod)
			if broken[name] {
				return nil, errors.New(name + " is broken")
			}
			ours, theirs := net.Pipe()
			_ = theirs.Close()
			return ours, nil
		})
	}
	a := Auto(dialer("ip"), dialer("forward"))
	for _, step := range []struct {
		name    string
		pod     string
		broken  map[string]bool
		want    []string
		wantErr []string
	}{
		{"the address works", "a", nil, []string{"ip a"}, nil},
		{"and is tried again each time", "a", nil, []string{"ip a"}, nil},
		{"where it does not, the second way is taken", "b", map[string]bool{"ip": true}, []string{"ip b", "forward b"}, nil},
		{"and taken at once from then on", "b", nil, []string{"forward b"}, nil},
		{"for that pod only", "a", nil, []string{"ip a"}, nil},
		{"when it fails too", "b", map[string]bool{"forward": true}, []string{"forward b"}, []string{"forward is broken"}},
		{"all begins anew, and both are told of", "b", map[string]bool{"ip": true, "forward": true}, []string{"ip b", "forward b"}, []string{"ip is broken", "forward is broken"}},
	} {
		log, broken = nil, step.broken
		conn, err := a.Dial(t.Context(), Target{Pod: step.pod, PodUID: types.UID("uid-" + step.pod)})
		if (err != nil) != (step.wantErr != nil) {
			t.Errorf("%s: %v", step.name, err)
		}
		for _, want := range step.wantErr {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v lacks %q", step.name, err, want)
			}
		}
		if conn != nil {
			_ = conn.Close()
		}
		if diff := cmp.Diff(step.want, log); diff != "" {
			t.Errorf("%s:\n%s", step.name, diff)
		}
	}
}

func TestAutoDoesNotTryFurtherForACallerThatGaveUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	first := DialerFunc(func(ctx context.Context, _ Target) (net.Conn, error) {
		cancel()
		return nil, ctx.Err()
	})
	second := DialerFunc(func(context.Context, Target) (net.Conn, error) {
		t.Error("it did")
		return nil, errors.New("x")
	})
	if _, err := Auto(first, second).Dial(ctx, Target{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
