// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// auditPolicy logs what the two do who race, and nothing else.
const auditPolicy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived, ResponseStarted]\nrules:\n" +
	"- {level: Metadata, users: [\"" + operatorUser + "\", \"" + statefulSetUser + "\"]}\n- {level: None}\n"

// calls by verb and resource.
type calls map[string]int

// readCalls of a user, as the API server logged them; what keeps caches and the lease is
// left out.
func (p *plane) readCalls(user string) (calls, error) {
	f, err := os.Open(p.audit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	out := calls{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct {
			Verb      string
			User      struct{ Username string }
			ObjectRef struct{ Resource, Subresource string }
		}
		if json.Unmarshal(lines.Bytes(), &entry) != nil || entry.User.Username != user {
			continue // a last line that is not whole yet
		}
		resource := entry.ObjectRef.Resource
		if entry.Verb == "list" || entry.Verb == "watch" || resource == "" || resource == "leases" {
			continue
		}
		if entry.ObjectRef.Subresource != "" {
			resource += "/" + entry.ObjectRef.Subresource
		}
		out[entry.Verb+" "+resource]++
	}
	return out, lines.Err()
}

// since is what was called after earlier was read.
func (c calls) since(earlier calls) calls {
	out := calls{}
	for name, n := range c {
		if n -= earlier[name]; n > 0 {
			out[name] = n
		}
	}
	return out
}

func (c calls) total() (n int) {
	for _, k := range c {
		n += k
	}
	return n
}

// writes to objects; events are none.
func (c calls) writes() (n int) {
	for name, k := range c {
		if !strings.HasPrefix(name, "get ") && !strings.HasSuffix(name, " events") {
			n += k
		}
	}
	return n
}

// show prints the calls for each of n units.
func (c calls) show(to io.Writer, n int) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	var names []string
	for name := range c {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return c[b] - c[a] })
	for _, name := range names {
		fmt.Fprintf(w, "    %s\t%.2f\n", name, float64(c[name])/float64(n))
	}
	fmt.Fprintf(w, "    all\t%.2f\n", float64(c.total())/float64(n))
	_ = w.Flush()
}
