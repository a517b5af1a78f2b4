// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/utils/clock"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/agenttls"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// fenceTime is how long a fence may take, from the call to the proof.
const fenceTime = 10 * time.Second

// agents speaks to agents as the operator does, with a certificate of its CA.
func (e *environment) agents(t *testing.T) *agentclient.Client {
	t.Helper()
	secret, err := e.kube.CoreV1().Secrets("upm-system").Get(t.Context(), agenttls.CASecret, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ca, err := agenttls.LoadCA(secret.Data)
	if err != nil {
		t.Fatal(err)
	}
	client := agentclient.New(agentclient.Options{
		Operator: agenttls.NewOperator(ca, clock.RealClock{}), Dialer: agentclient.PodIP(), Clock: clock.RealClock{},
	})
	t.Cleanup(client.Close)
	return client
}

// targetOf is the agent of a unit's pod.
func (e *environment) targetOf(t *testing.T, ns, unit string) agentclient.Target {
	t.Helper()
	u, err := e.upm.UpmV1alpha2().Units(ns).Get(t.Context(), unit, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := e.pod(t, ns, unit)
	return agentclient.Target{Namespace: ns, Unit: unit, UnitUID: u.UID, Pod: p.Name, PodUID: p.UID, PodIP: p.Status.PodIP}
}

// freeze lets every write to a unit's data volume wait, on the file system itself, until
// the function returned is called, at the latest until the test ends.
func (e *environment) freeze(t *testing.T, unit string) (thaw func()) {
	t.Helper()
	pid, err := hostProcess(unit, agentProcess)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(fmt.Sprintf("/proc/%d/root/DATA_MOUNT", pid))
	if err != nil {
		t.Fatal(err)
	}
	const fifreeze, fithaw = 0xc0045877, 0xc0045878
	if err := unix.IoctlSetInt(int(dir.Fd()), fifreeze, 0); err != nil {
		_ = dir.Close()
		t.Fatalf("freezing the volume of %s: %v", unit, err)
	}
	thaw = sync.OnceFunc(func() {
		defer dir.Close()
		if err := unix.IoctlSetInt(int(dir.Fd()), fithaw, 0); err != nil {
			t.Errorf("thawing the volume of %s: %v", unit, err)
		}
	})
	t.Cleanup(thaw)
	return thaw
}

// writer is a client's session that writes row after row.
type writer struct {
	rows lines
	// begun is the row that was sent last.
	begun atomic.Int64
	ended chan error
}

// lines counts what is written to it.
type lines struct {
	mu sync.Mutex
	n  int
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

func (l *lines) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// sqlCommand is the client of an engine that prints plain rows, each as it comes.
var sqlCommand = map[string][]string{
	"mysql":      {"mysql", "-n", "-N", "-B"},
	"postgresql": {"psql", "-X", "-At", "-q"},
}

// startWriter opens a session that inserts a row, asks for another one's answer, and so on
// until it breaks.
func (e *environment) startWriter(t *testing.T, kind, ns, unit string) *writer {
	t.Helper()
	req := e.kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(ns).Name(unit).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: kind, Command: sqlCommand[kind], Stdin: true, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	x, err := remotecommand.NewWebSocketExecutor(e.config, "GET", req.URL().String())
	if err != nil {
		t.Fatal(err)
	}
	r, in := io.Pipe()
	w := &writer{ended: make(chan error, 1)}
	var said bytes.Buffer
	go func() {
		err := x.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: r, Stdout: &w.rows, Stderr: &said})
		_ = r.Close()
		w.ended <- errors.Join(err, errors.New(strings.TrimSpace(said.String())))
	}()
	go func() {
		for id := 1; ; id++ {
			w.begun.Store(int64(id))
			// The second statement answers once the first was acknowledged.
			if _, err := fmt.Fprintf(in, "INSERT INTO app.t VALUES (%d); SELECT %d;\n", id, id); err != nil {
				return
			}
			select {
			case <-t.Context().Done():
				_ = in.Close()
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	eventually(t, time.Minute, "rows to be acknowledged", func(context.Context) error {
		if n := w.rows.count(); n < 10 {
			return fmt.Errorf("%d rows", n)
		}
		return nil
	})
	return w
}

func TestAFenceIsProvenWhileTheVolumeOnItsNodeIsFrozen(t *testing.T) {
	for _, kind := range []string{"mysql", "postgresql"} {
		t.Run(kind, func(t *testing.T) {
			e := requireBed(t)
			e.ensureNamespace(t, opsNamespace)
			unit := "frozen-" + kind
			e.standaloneOf(t, kind, unit)
			schema := map[string]string{"mysql": "CREATE DATABASE app", "postgresql": "CREATE SCHEMA app"}[kind]
			if _, err := e.exec(t.Context(), opsNamespace, unit, kind, schema+"; CREATE TABLE app.t (id INT PRIMARY KEY);\n", sqlCommand[kind]...); err != nil {
				t.Fatal(err)
			}
			client, target := e.agents(t), e.targetOf(t, opsNamespace, unit)
			w := e.startWriter(t, kind, opsNamespace, unit)

			thaw := e.freeze(t, unit)
			// An answer to what was sent before may come late; what is sent from now on must
			// have none.
			last := w.begun.Load()
			for before := -1; before != w.rows.count(); time.Sleep(time.Second) {
				before = w.rows.count()
			}
			begun := time.Now()
			held := e.fence(t, client, target, true, 1)
			acknowledged := time.Since(begun)
			proven := func(s *agentclient.Status) bool { return s.StopProof != nil && s.StopProof.Order >= held.HoldsOrder }
			status := e.agentStatus(t, client, target, "the fence to be proven", proven)
			took := time.Since(begun)
			t.Logf("acknowledged after %v, proven after %v: %s", acknowledged, took, status.StopProof.How)
			if took > fenceTime {
				t.Errorf("the fence was acknowledged after %v and proven after %v, want at most %v", acknowledged, took, fenceTime)
			}

			thaw()
			if err := <-w.ended; err == nil {
				t.Error("the client's session has ended well")
			}
			rows := w.rows.count()
			if int64(rows) > last {
				t.Errorf("row %d was acknowledged, after the volume was frozen at row %d", rows, last)
			}
			e.agentStatus(t, client, target, "it to be held", func(s *agentclient.Status) bool { return proven(s) && s.State == agentclient.StateHeld })
			e.fence(t, client, target, false, 2)
			// The kubelet starts the container again, for its server had to be killed.
			var there string
			eventually(t, 2*time.Minute, "the server to answer again", func(ctx context.Context) (err error) {
				there, err = e.exec(ctx, opsNamespace, unit, kind, fmt.Sprintf("SELECT COUNT(*) FROM app.t WHERE id <= %d;\n", rows), sqlCommand[kind]...)
				return err
			})
			if there != fmt.Sprint(rows) {
				t.Errorf("of %d acknowledged rows %s are there", rows, there)
			}
			eventually(t, 2*time.Minute, "the unit to be ready", func(ctx context.Context) error {
				return e.unitPhase(ctx, opsNamespace, unit, v1alpha2.UnitReady)
			})
		})
	}
}

// fence sets or lifts the hold of a Replication.
func (e *environment) fence(t *testing.T, client *agentclient.Client, target agentclient.Target, held bool, epoch int64) *agentclient.Status {
	t.Helper()
	status, err := client.SetHold(t.Context(), target, agentclient.Hold{Name: "fence", Held: held, Epoch: epoch})
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// agentStatus waits until the agent reports that.
func (e *environment) agentStatus(t *testing.T, client *agentclient.Client, target agentclient.Target, what string, is func(*agentclient.Status) bool) *agentclient.Status {
	t.Helper()
	var status *agentclient.Status
	eventually(t, 2*time.Minute, what, func(ctx context.Context) (err error) {
		if status, err = client.Status(ctx, target); err == nil && !is(status) {
			err = fmt.Errorf("%s: %s", status.State, status.Message)
		}
		return err
	})
	return status
}
