// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package agentclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agenttls"
)

// apiServer forwards ports of the pod ns/u-0 as the API server and the kubelet do:
// to unit()'s address on the network.
func apiServer(t *testing.T, n *network) (*rest.Config, kubernetes.Interface) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/namespaces/ns/pods/u-0/portforward", func(w http.ResponseWriter, r *http.Request) {
		if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
			t.Error(err)
			return
		}
		streams := make(chan httpstream.Stream, 2)
		conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, _ <-chan struct{}) error {
			streams <- s
			return nil
		})
		if conn == nil {
			t.Error("not upgraded")
			return
		}
		defer conn.Close()
		failed, data := <-streams, <-streams
		if failed.Headers().Get(corev1.StreamType) != corev1.StreamTypeError || data.Headers().Get(corev1.StreamType) != corev1.StreamTypeData ||
			data.Headers().Get(corev1.PortHeader) != "2214" {
			t.Errorf("streams %v, %v", failed.Headers(), data.Headers())
			return
		}
		backend, err := n.Dial(r.Context(), unit())
		if err != nil {
			fmt.Fprintf(failed, "error forwarding port 2214 to pod: %v", err)
			_ = failed.Close()
			<-conn.CloseChan()
			return
		}
		defer backend.Close()
		go func() { _, _ = io.Copy(backend, data) }()
		go func() {
			_, _ = io.Copy(data, backend)
			_ = data.Close()
		}()
		<-conn.CloseChan()
	})
	// Without the client's end of it, the test would not end.
	mux.HandleFunc("POST /api/v1/namespaces/ns/pods/slow/portforward", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, BearerToken: "swordfish"}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return config, client
}

func TestAnAgentIsSpokenToThroughTheAPIServer(t *testing.T) {
	n := newNetwork(t)
	n.agent(t)
	c := New(Options{Operator: agenttls.NewOperator(n.ca, clock.RealClock{}), Dialer: PortForward(apiServer(t, n))})
	defer c.Close()
	target := unit()
	target.PodIP = "" // nobody needs it here
	if _, err := c.Apply(t.Context(), target, request()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if s, err := c.Status(t.Context(), target); err != nil || s.AppliedHash != "h1" {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if n.dialled() != 1 {
		t.Errorf("%d connections", n.dialled())
	}
	// The way through the API server proves nothing: TLS still does.
	other := target
	other.UnitUID, other.PodUID = "uid-1", "p1"
	if _, err := c.Status(t.Context(), other); !IsUnavailable(err) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another unit: %v", err)
	}
}

func TestWhyAPortForwardFailsIsTold(t *testing.T) {
	n := newNetwork(t)
	config, client := apiServer(t, n)
	c := New(Options{Operator: agenttls.NewOperator(n.ca, clock.RealClock{}), Dialer: PortForward(config, client)})
	defer c.Close()
	for name, tc := range map[string]struct{ pod, want string }{
		"nobody listens in the pod": {"u-0", "connection refused"},
		"there is no such pod":      {"gone", "404"},
	} {
		t.Run(name, func(t *testing.T) {
			target := unit()
			target.Pod, target.PodUID = tc.pod, target.PodUID+"-"+unit().PodUID
			target.PodIP = tc.pod
			_, err := c.Status(t.Context(), target)
			if !IsUnavailable(err) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
			if strings.Contains(fmt.Sprintf("%+v", err), "swordfish") {
				t.Error("the token is in the error")
			}
		})
	}
	t.Run("an API server that does not answer holds nobody up", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		target := unit()
		target.Pod = "slow"
		conn, err := PortForward(config, client).Dial(ctx, target)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, %v", conn, err)
		}
	})
}
