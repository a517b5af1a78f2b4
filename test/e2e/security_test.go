// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// intrusion is one attempt to reach an agent, carried to a process in a foreign
// pod's network by the environment.
type intrusion struct {
	Address     string
	PodUID      string
	UnitUID     string
	Certificate string
	Key         string
	WithoutTLS  bool
}

// TestIntruder is not a test of its own: agentRefuses runs it inside the network
// of a foreign pod.
func TestIntruder(t *testing.T) {
	raw := os.Getenv("UNIT_OPERATOR_INTRUSION")
	if raw == "" {
		t.Skip("run by TestAgentsRefuseStrangers")
	}
	var in intrusion
	if err := json.Unmarshal([]byte(raw), &in); err != nil {
		t.Fatal(err)
	}
	// The network lets it through: what refuses it is the agent.
	tcp, err := net.DialTimeout("tcp", in.Address, patience)
	if err != nil {
		t.Fatal(err)
	}
	_ = tcp.Close()
	fmt.Println("reached")
	creds := insecure.NewCredentials()
	if !in.WithoutTLS {
		// The intruder does not care who the agent is, only whether it obeys.
		conf := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12} //nolint:gosec // an intruder
		if in.Certificate != "" {
			pair, err := tls.X509KeyPair([]byte(in.Certificate), []byte(in.Key))
			if err != nil {
				t.Fatal(err)
			}
			conf.Certificates = []tls.Certificate{pair}
		}
		creds = credentials.NewTLS(conf)
	}
	conn, err := grpc.NewClient("passthrough:///"+in.Address, grpc.WithTransportCredentials(creds))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := agentv1.NewUnitServiceClient(conn)
	fence := &agentv1.Fence{PodUid: in.PodUID, UnitUid: in.UnitUID, Epoch: 1 << 40, UnitGeneration: 1 << 40}
	for name, call := range map[string]func() error{
		"SetHold": func() error {
			_, err := client.SetHold(ctx, &agentv1.SetHoldRequest{Fence: fence, Name: "fence", Held: true})
			return err
		},
		"Apply": func() error {
			_, err := client.Apply(ctx, &agentv1.ApplyRequest{Fence: fence, StartupHold: true})
			return err
		},
		"GetStatus": func() error { _, err := client.GetStatus(ctx, &agentv1.GetStatusRequest{}); return err },
	} {
		err := call()
		switch status.Code(err) {
		case codes.Unavailable, codes.Unauthenticated, codes.PermissionDenied:
			fmt.Printf("refused: %s: %v\n", name, err)
		default:
			fmt.Printf("OBEYED: %s: %v\n", name, err)
		}
	}
}

// agentsRefuseStrangers tries, from inside the network of another unit's pod, to
// command the agent of g's first unit.
func (e *environment) agentsRefuseStrangers(t *testing.T, g group) {
	requireBed(t)
	victim, foreign := g.unit(0), g.unit(1)
	p := e.pod(t, ns, victim)
	u, err := e.upm.UpmV1alpha2().Units(ns).Get(t.Context(), victim, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	base := intrusion{Address: p.Status.PodIP + ":2214", PodUID: string(p.UID), UnitUID: string(u.UID)}
	pid, err := hostProcess(foreign, serverProcess(g.kind))
	if err != nil {
		t.Fatal(err)
	}
	identity := func(unit string) (string, string) {
		s, err := e.kube.CoreV1().Secrets(ns).Get(t.Context(), unit+"-agent-tls", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return string(s.Data["tls.crt"]), string(s.Data["tls.key"])
	}
	attempts := map[string]intrusion{"without TLS": base, "without a certificate": base, "with another unit's certificate": base, "with its own certificate": base}
	for name, in := range attempts {
		switch name {
		case "without TLS":
			in.WithoutTLS = true
		case "with another unit's certificate":
			in.Certificate, in.Key = identity(foreign)
		case "with its own certificate":
			in.Certificate, in.Key = identity(victim)
		}
		raw, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "nsenter", "--net=/proc/"+strconv.Itoa(pid)+"/ns/net", os.Args[0], "-test.run=^TestIntruder$", "-test.v")
		cmd.Env = append(os.Environ(), "UNIT_OPERATOR_INTRUSION="+string(raw), "UNIT_OPERATOR_E2E=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if n := strings.Count(string(out), "refused: "); n != 3 || strings.Contains(string(out), "OBEYED") || !strings.Contains(string(out), "reached") {
			t.Errorf("%s: the agent was not reached, or obeyed:\n%s", name, out)
		}
	}
}
