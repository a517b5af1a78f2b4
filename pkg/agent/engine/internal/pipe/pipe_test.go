// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package pipe

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
)

// full takes nothing.
type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

func TestAPipeTellsWhyItEndedAndNotWhatTheProgramThinks(t *testing.T) {
	broken, noSpace := errors.New("the store broke off"), errors.New("no space left")
	for name, tc := range map[string]struct {
		script string
		in     io.Reader
		out    io.Writer
		want   string
	}{
		"the program succeeds":                        {"cat", strings.NewReader("rows"), io.Discard, ""},
		"the program fails":                           {"echo no such table: secret >&2; exit 3", nil, nil, "sh ended with exit status 3: no such table: ***"},
		"what it wrote is not taken":                  {"yes", nil, full{noSpace}, noSpace.Error()},
		"what it reads breaks off":                    {"cat >/dev/null", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), nil, broken.Error()},
		"what it reads breaks off where it reads not": {"head -c 1 >/dev/null", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), nil, broken.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			err := Run(t.Context(), exec.CommandContext(t.Context(), "sh", "-c", tc.script), tc.in, tc.out, "secret")
			if got := errorText(err); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestAPipeOfACancelledOperationTellsWhy(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the call was deleted"))
	err := Run(ctx, exec.CommandContext(ctx, "sleep", "60"), nil, nil)
	if got := errorText(err); got != "the call was deleted" {
		t.Errorf("%q", got)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAPipePassesAllOfIt(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var got bytes.Buffer
	if err := Run(t.Context(), exec.CommandContext(t.Context(), "cat"), bytes.NewReader(sent), &got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent, got.Bytes()) {
		t.Errorf("%d bytes of %d came through", got.Len(), len(sent))
	}
}

func TestATailIsTheEnd(t *testing.T) {
	var tail Tail
	for range 1000 {
		if _, err := tail.Write([]byte("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tail.Write([]byte("the end\n")); err != nil {
		t.Fatal(err)
	}
	if got := tail.String(); len(got) > tailSize || !strings.HasSuffix(got, "9the end") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestAPipeTakesWhatIsNoMessageOutOfThem(t *testing.T) {
	var taken []string
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `printf ' 1/3 kB\r 2/3 kB\nno such ' >&2; printf 'slot\n 3/3 kB' >&2; exit 3`)
	cmd.Stderr = &Lines{Take: func(line string) bool {
		is := strings.HasSuffix(line, " kB")
		if is {
			taken = append(taken, line)
		}
		return is
	}}
	if got, want := errorText(Run(t.Context(), cmd, nil, nil)), "sh ended with exit status 3: no such slot"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := strings.Join(taken, ", "), "1/3 kB, 2/3 kB, 3/3 kB"; got != want {
		t.Errorf("taken were %q, want %q", got, want)
	}
}
