// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

// answers is nil when the server answers over the pod's network, without the API
// server's help: a TCP connection from this machine.
func (g group) answersAt(ip string) error {
	port := map[string]string{"mysql": "3306", "postgresql": "5432", "proxysql": "6033"}[g.kind]
	return greeting(g.kind, ip+":"+port)
}

// agentsKilled kills the set's agents n times in all, while a session is open on
// each server.
func (e *environment) agentsKilled(t *testing.T, g group, n int) {
	requireBed(t)
	before := map[string]*corev1.Pod{}
	sessions := make([]*session, g.units)
	for i := range g.units {
		before[g.unit(i)] = e.pod(t, ns, g.unit(i))
		sessions[i] = e.open(t, g, i)
	}
	for i, s := range sessions {
		s.answered(t, g.unit(i))
	}
	// Each process counts once: one that was killed is there until it is reaped.
	killed := map[int]bool{}
	for len(killed) < n {
		hit := false
		for i := range g.units {
			pid, err := hostProcess(g.unit(i), agentProcess)
			if err != nil || killed[pid] || len(killed) == n {
				continue
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
				killed[pid] = true
				hit = true
			}
		}
		if !hit {
			time.Sleep(50 * time.Millisecond)
		}
		if t.Context().Err() != nil {
			t.Fatal("out of time")
		}
	}
	for i, s := range sessions {
		s.finish(t, g.unit(i))
		p := e.pod(t, ns, g.unit(i))
		if p.UID != before[p.Name].UID || restarts(p, g.kind) != restarts(before[p.Name], g.kind) {
			t.Errorf("%s: its server was restarted", p.Name)
		}
	}
	eventually(t, 5*time.Minute, "agents and set to be as before", func(ctx context.Context) error {
		for i := range g.units {
			p, err := e.kube.CoreV1().Pods(ns).Get(ctx, g.unit(i), metav1.GetOptions{})
			if err != nil {
				return err
			}
			for _, s := range p.Status.InitContainerStatuses {
				if s.Name == "agent" && s.State.Running == nil {
					return fmt.Errorf("the agent of %s is not back yet", p.Name)
				}
			}
		}
		return e.setReady(ctx, ns, g.set)
	})
}

// session is an SQL session held open through kubectl exec's channel.
type session struct {
	in    *io.PipeWriter
	first chan struct{}
	// Two buffers: io.Copy reads into a buffer directly, and two of them into one
	// would overwrite each other.
	out, errOut firstWrite
	done        chan error
	stop        chan struct{}
}

// open starts a session that asks for its own connection id again and again.
func (e *environment) open(t *testing.T, g group, i int) *session {
	t.Helper()
	command, question := []string{"mysql", "-n", "-N", "-B"}, "SELECT CONNECTION_ID();\n"
	if g.kind == "postgresql" {
		command, question = []string{"psql", "-X", "-At"}, "SELECT pg_backend_pid();\n"
	}
	r, w := io.Pipe()
	s := &session{in: w, first: make(chan struct{}), done: make(chan error, 1), stop: make(chan struct{})}
	s.out.told = sync.OnceFunc(func() { close(s.first) })
	s.errOut.told = func() {}
	req := e.kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(ns).Name(g.unit(i)).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: g.kind, Command: command, Stdin: true, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	x, err := remotecommand.NewWebSocketExecutor(e.config, "GET", req.URL().String())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		s.done <- x.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdin: r, Stdout: &s.out, Stderr: &s.errOut})
	}()
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(w, question); err != nil {
				return
			}
			select {
			case <-tick.C:
			case <-s.stop:
				_ = w.Close()
				return
			}
		}
	}()
	return s
}

// firstWrite is a buffer that tells of the first write to it.
type firstWrite struct {
	bytes.Buffer
	told func()
}

func (w *firstWrite) Write(p []byte) (int, error) {
	w.told()
	return w.Buffer.Write(p)
}

// ReadFrom hides the Buffer's own, which would pass Write by.
func (w *firstWrite) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, r)
}

// answered waits for the session's first answer.
func (s *session) answered(t *testing.T, unit string) {
	t.Helper()
	select {
	case <-s.first:
	case err := <-s.done:
		t.Fatalf("%s: the session has ended without an answer: %v\n%s", unit, err, s.errOut.String())
	case <-time.After(patience):
		t.Fatalf("%s: the session has no answer", unit)
	}
}

// finish ends the session and demands that it was one and the same throughout.
func (s *session) finish(t *testing.T, unit string) {
	t.Helper()
	close(s.stop)
	if err := <-s.done; err != nil {
		t.Errorf("%s: the session broke: %v\n%s%s", unit, err, s.out.String(), s.errOut.String())
		return
	}
	lines := strings.Fields(s.out.String())
	if len(lines) < 3 {
		t.Errorf("%s: the session had only %d answers: %s", unit, len(lines), s.out.String())
		return
	}
	for _, l := range lines {
		if l != lines[0] {
			t.Errorf("%s: the session changed from connection %s to %s", unit, lines[0], l)
			return
		}
	}
}

// serverComesBackAlone kills a server by SIGKILL while nobody is there to help.
func (e *environment) serverComesBackAlone(t *testing.T, g group) {
	requireBed(t)
	p := e.pod(t, ns, g.unit(g.units-1))
	ip := p.Status.PodIP
	e.stopOperator()
	e.apiServer(t, "stop")
	back := false
	restore := func() {
		if back {
			return
		}
		back = true
		e.apiServer(t, "start")
		e.restartOperator(t)
	}
	defer restore()
	eventually(t, patience, "the server to answer before it is killed", func(context.Context) error { return g.answersAt(ip) })
	killed, err := hostProcess(p.Name, serverProcess(g.kind))
	if err != nil {
		t.Fatal(err)
	}
	kill(t, p.Name, serverProcess(g.kind))
	start := time.Now()
	// It may be back before anybody has seen it away.
	eventually(t, 2*time.Minute, "another server to answer", func(context.Context) error {
		switch pid, err := hostProcess(p.Name, serverProcess(g.kind)); {
		case err != nil:
			return err
		case pid == killed:
			return fmt.Errorf("process %d, which was killed, is there", pid)
		}
		return g.answersAt(ip)
	})
	t.Logf("it answers %.1fs after its SIGKILL, with operator and API server away", time.Since(start).Seconds())
	restore()
	eventually(t, 2*time.Minute, "the set to be ready", func(ctx context.Context) error { return e.setReady(ctx, ns, g.set) })
	// The kubelet tells of the restart when it can: the API server is just back.
	eventually(t, time.Minute, "the pod's status to tell of one restart", func(ctx context.Context) error {
		after, err := e.kube.CoreV1().Pods(ns).Get(ctx, p.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if after.UID != p.UID || restarts(after, g.kind) != restarts(p, g.kind)+1 {
			return fmt.Errorf("pod %s -> %s, restarts %d -> %d: want the same pod, one restart more", p.UID, after.UID, restarts(p, g.kind), restarts(after, g.kind))
		}
		return nil
	})
	e.sameRole(t, g, p.Name)
}

// sameRole: a managed MySQL has come back read-only, a standalone server writable.
func (e *environment) sameRole(t *testing.T, g group, unit string) {
	t.Helper()
	// A PostgreSQL greets while it still recovers: what counts is that it answers.
	query := map[string][]string{"mysql": {"mysql", "-e", "SELECT 1"}, "postgresql": {"psql", "-X", "-c", "SELECT 1"}, "proxysql": {"true"}}
	eventually(t, 3*time.Minute, "the server to answer a query", func(ctx context.Context) error {
		_, err := e.exec(ctx, ns, unit, g.kind, "", query[g.kind]...)
		return err
	})
	switch g.kind {
	case "mysql":
		got, err := e.exec(t.Context(), ns, unit, "mysql", "", "mysql", "-N", "-B", "-e", "SELECT @@global.super_read_only")
		if err != nil || got != "1" {
			t.Errorf("%s: super_read_only is %q (%v), want 1", unit, got, err)
		}
	case "postgresql":
		got, err := e.exec(t.Context(), ns, unit, "postgresql", "", "psql", "-X", "-At", "-c", "SELECT pg_is_in_recovery()")
		if err != nil || got != "f" {
			t.Errorf("%s: pg_is_in_recovery is %q (%v), want f", unit, got, err)
		}
	}
}

// nodeRestart stops a node with everything on it and starts it again, with the
// operator away.
func (e *environment) nodeRestart(t *testing.T, g group) {
	requireBed(t)
	p := e.pod(t, ns, g.unit(0))
	e.stopOperator()
	defer e.restartOperator(t)
	runCommand(t, e.bed, "node", "stop", p.Spec.NodeName)
	if err := g.answersAt(p.Status.PodIP); err == nil {
		t.Error("the server answers although its node is stopped")
	}
	runCommand(t, e.bed, "node", "start", p.Spec.NodeName)
	start := time.Now()
	eventually(t, 3*time.Minute, "the server to answer again", func(ctx context.Context) error {
		now, err := e.kube.CoreV1().Pods(ns).Get(ctx, p.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if now.UID != p.UID {
			t.Fatalf("the pod was replaced")
		}
		if restarts(now, g.kind) <= restarts(p, g.kind) {
			return fmt.Errorf("not restarted yet")
		}
		return g.answersAt(now.Status.PodIP)
	})
	t.Logf("it answers %.1fs after its node is back, with the operator away", time.Since(start).Seconds())
	e.sameRole(t, g, p.Name)
}

// stopServer as a user does, and wait until it is stopped.
func (e *environment) stopServer(t *testing.T, unit string) {
	t.Helper()
	e.setStartup(t, unit, false)
	eventually(t, 2*time.Minute, "the server to be stopped", func(ctx context.Context) error {
		if err := e.unitConditionTrue(ctx, ns, unit, "ServerStopped"); err != nil {
			return err
		}
		return e.unitPhase(ctx, ns, unit, v1alpha2.UnitRunning)
	})
}

// heldThroughNodeRestart: startup false stops the server, and nothing but the
// operator's word starts it again.
func (e *environment) heldThroughNodeRestart(t *testing.T, g group) {
	requireBed(t)
	unit := g.unit(1)
	e.stopServer(t, unit)
	p := e.pod(t, ns, unit)
	eventually(t, time.Minute, "the server to be down", func(context.Context) error {
		if g.answersAt(p.Status.PodIP) == nil {
			return fmt.Errorf("it answers")
		}
		return nil
	})
	e.stopOperator()
	runCommand(t, e.bed, "node", "stop", p.Spec.NodeName)
	runCommand(t, e.bed, "node", "start", p.Spec.NodeName)
	var ip string
	eventually(t, 2*time.Minute, "the pod's containers to run again", func(ctx context.Context) error {
		now, err := e.kube.CoreV1().Pods(ns).Get(ctx, unit, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if now.UID != p.UID {
			t.Fatal("the pod was replaced")
		}
		ip = now.Status.PodIP
		if restarts(now, g.kind) <= restarts(p, g.kind) {
			return fmt.Errorf("not restarted yet")
		}
		return nil
	})
	for range 20 {
		if err := g.answersAt(ip); err == nil {
			t.Fatal("a held server was started")
		}
		time.Sleep(500 * time.Millisecond)
	}
	e.restartOperator(t)
	e.setStartup(t, unit, true)
	eventually(t, 2*time.Minute, "the server to serve again", func(ctx context.Context) error {
		return e.unitPhase(ctx, ns, unit, v1alpha2.UnitReady)
	})
}

func (e *environment) apiServer(t *testing.T, verb string) {
	t.Helper()
	runCommand(t, e.bed, "apiserver", verb)
}
