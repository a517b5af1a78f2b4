// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package leak

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

func newRecord(t *testing.T) *Record {
	t.Helper()
	r, err := NewRecord(filepath.Join(t.TempDir(), "record"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.file.Close() })
	return r
}

// sampling runs until the test ends.
func sampling(t *testing.T, p *Processes) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.Run(ctx, 5*time.Millisecond)
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

func awaitFound(t *testing.T, r *Record, s *Secrets, what string) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		found, err := r.Search(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			return
		}
	}
	t.Fatalf("%s is not recorded", what)
}

// waiting is a process that ends when the test tells it to: how long a sampler needs
// to see one depends on what else the machine does.
func waiting(t *testing.T, cmd *exec.Cmd) (end func()) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	return end
}

func TestACommandLineIsRecorded(t *testing.T) {
	r, s := newRecord(t), &Secrets{}
	sampling(t, &Processes{Record: r})
	s.Add("the argument", []byte("--password=of-a-short-life"))
	end := waiting(t, exec.CommandContext(t.Context(), "sh", "-c", "cat", "--password=of-a-short-life"))
	awaitFound(t, r, s, "the argument of a process")
	end()
	awaitFound(t, r, s, "the argument of a process that has ended")
}

func TestAProcessWithoutACommandLineIsPassedOver(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	// A zombie stays until it is waited for, and has no command line.
	pid := cmd.Process.Pid
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		if raw, err := os.ReadFile(proc(pid, "cmdline")); err == nil && len(raw) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the process does not end")
		}
	}
	for name, asked := range map[string]func([]string) bool{
		"no environment is asked for": nil,
		"environments are asked for":  func([]string) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			p := &Processes{Record: newRecord(t), Parent: asked, known: map[int]*process{}}
			for turn := range 2 * turns {
				p.sample(turn)
			}
			if k := p.known[pid]; k == nil || k.argv != "" {
				t.Errorf("the zombie is known as %+v", k)
			}
		})
	}
}

func TestTheEnvironmentOfChildrenIsRecordedWhereAskedFor(t *testing.T) {
	self := strconv.Itoa(os.Getpid())
	mine := func(argv []string) bool { return argv[0] == os.Args[0] }
	for _, tc := range []struct {
		name   string
		parent func([]string) bool
		want   bool
	}{
		{"ours", mine, true},
		{"nobody's", func([]string) bool { return false }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, value, argument := newRecord(t), &Secrets{}, &Secrets{}
			sampling(t, &Processes{Record: r, Parent: tc.parent})
			value.Add("the variable", []byte("environment-of-"+self+tc.name))
			argument.Add("the end", []byte("argument-of-"+self+tc.name))
			cmd := exec.CommandContext(t.Context(), "sleep", "30")
			cmd.Env = append(os.Environ(), "SOME=environment-of-"+self+tc.name)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			}()
			if tc.want {
				awaitFound(t, r, value, "the environment")
				return
			}
			// Once a later process is seen, this one has been.
			waiting(t, exec.CommandContext(t.Context(), "sh", "-c", "cat", "argument-of-"+self+tc.name))
			awaitFound(t, r, argument, "a later process")
			if found, err := r.Search(value); err != nil || len(found) != 0 {
				t.Errorf("found %q (%v)", found, err)
			}
		})
	}
}

func TestATextIsRecordedOnce(t *testing.T) {
	r := newRecord(t)
	for _, text := range []string{"a", "b", "a", "b", "c"} {
		r.Add(text)
	}
	content, err := os.ReadFile(r.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if string(content) != "a\nb\nc\n" || r.Len() != 3 {
		t.Errorf("%d texts: %q", r.Len(), content)
	}
}
