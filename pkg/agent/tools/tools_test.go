// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tools

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

func run(t *testing.T, name string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	tool, ok := ByName(name)
	if !ok {
		t.Fatalf("no tool %s", name)
	}
	var out, errOut bytes.Buffer
	status = tool(context.Background(), args, &out, &errOut)
	return status, out.String(), errOut.String()
}

func TestCurl(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/health", http.StatusFound)
			return
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		}
		w.Header().Set("X-Kind", "test")
		fmt.Fprintf(w, "%s %s %q %s %s", r.Method, r.URL.Path, body, r.Header.Get("X-One"), r.Header.Get("Content-Type"))
	})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewTLSServer(handler)
	defer secure.Close()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.WriteFile(data, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, tc := range []struct {
		name   string
		args   []string
		status int
		out    string
		not    string
		err    string
	}{
		{name: "the document's line", args: []string{"-X", "POST", plain.URL + "/health"}, out: "POST /health"},
		{name: "a GET without a scheme", args: []string{strings.TrimPrefix(plain.URL, "http://") + "/health"}, out: "GET /health"},
		{name: "joined options and values", args: []string{"-siXPUT", "-HX-One: 1", plain.URL + "/x"}, out: "PUT /x \"\" 1"},
		{name: "headers included", args: []string{"-i", plain.URL}, out: "X-Kind: test"},
		{name: "headers only", args: []string{"-I", plain.URL}, out: "200 OK", not: "HEAD /"},
		{name: "data is a POST of a form", args: []string{"-d", "a=1", "--data", "b=2", plain.URL}, out: "POST / \"a=1&b=2\"  application/x-www-form-urlencoded"},
		{name: "data of a file and a header", args: []string{"-d", "@" + data, "-H", "Content-Type: text/plain", plain.URL}, out: "\"from a file\"  text/plain"},
		{name: "no redirect is followed unasked", args: []string{plain.URL + "/moved"}, out: "Found", not: "GET /health"},
		{name: "redirects are followed on request", args: []string{"-L", plain.URL + "/moved"}, out: "GET /health"},
		{name: "an unknown certificate is refused", args: []string{secure.URL}, status: 60, err: "certificate"},
		{name: "an unknown certificate is accepted on request", args: []string{"-k", secure.URL + "/s"}, out: "GET /s"},
		{name: "an HTTP error is an answer", args: []string{plain.URL + "/missing"}, out: "GET /missing"},
		{name: "an HTTP error fails on request", args: []string{"-f", plain.URL + "/missing"}, status: 22, err: "404"},
		{name: "nobody listens", args: []string{"http://127.0.0.1:1/"}, status: 7, err: "refused"},
		{name: "silence", args: []string{"-s", "http://127.0.0.1:1/"}, status: 7},
		{name: "silence with errors", args: []string{"-sS", "http://127.0.0.1:1/"}, status: 7, err: "refused"},
		{name: "no URL", args: []string{"-s"}, status: 2, err: "usage"},
		{name: "an unknown option", args: []string{"--proxy", "x", plain.URL}, status: 2, err: "--proxy"},
		{name: "an option without its value", args: []string{plain.URL, "-o"}, status: 2, err: "needs a value"},
		{name: "another protocol", args: []string{"ftp://x/"}, status: 1, err: "ftp"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, out, errOut := run(t, "curl", tc.args...)
			if status != tc.status || !strings.Contains(out, tc.out) || !strings.Contains(errOut, tc.err) {
				t.Errorf("status %d\nout %q\nerr %q\nwant %d, %q, %q", status, out, errOut, tc.status, tc.out, tc.err)
			}
			if tc.not != "" && strings.Contains(out, tc.not) {
				t.Errorf("out %q has %q", out, tc.not)
			}
			if tc.err == "" && errOut != "" {
				t.Errorf("err %q", errOut)
			}
		})
	}

	file := filepath.Join(dir, "out")
	if status, out, _ := run(t, "curl", "-o", file, plain.URL+"/f"); status != 0 || out != "" {
		t.Errorf("status %d, out %q", status, out)
	}
	if content, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(content), "GET /f") {
		t.Errorf("%q, %v", content, err)
	}
}

// nameServer answers A questions for one name.
func nameServer(t *testing.T, name string, ip [4]byte) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var query dnsmessage.Message
			if query.Unpack(buffer[:n]) != nil || len(query.Questions) == 0 {
				continue
			}
			q := query.Questions[0]
			answer := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: query.ID, Response: true, Authoritative: true, RecursionAvailable: true, RCode: dnsmessage.RCodeNameError},
				Questions: query.Questions,
			}
			if q.Name.String() == name {
				answer.RCode = dnsmessage.RCodeSuccess
				if q.Type == dnsmessage.TypeA {
					answer.Answers = []dnsmessage.Resource{{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
						Body:   &dnsmessage.AResource{A: ip},
					}}
				}
			}
			packed, err := answer.Pack()
			if err == nil {
				_, _ = conn.WriteTo(packed, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

func TestNslookup(t *testing.T) {
	server := nameServer(t, "mysql-cluster-1.example.", [4]byte{10, 1, 2, 3})
	status, out, errOut := run(t, "nslookup", "mysql-cluster-1.example", server)
	if status != 0 || !strings.Contains(out, "Name:\tmysql-cluster-1.example\nAddress: 10.1.2.3") || !strings.Contains(out, "Server:\t\t127.0.0.1") {
		t.Errorf("status %d, out %q, err %q", status, out, errOut)
	}
	if status, out, _ := run(t, "nslookup", "nobody.example.", server); status != 1 || !strings.Contains(out, "can't find nobody.example.: NXDOMAIN") {
		t.Errorf("status %d, out %q", status, out)
	}
	if status, _, errOut := run(t, "nslookup"); status != 2 || !strings.Contains(errOut, "usage") {
		t.Errorf("status %d, err %q", status, errOut)
	}
	if status, _, errOut := run(t, "nslookup", "-type=mx", "x"); status != 2 || !strings.Contains(errOut, "-type=mx") {
		t.Errorf("status %d, err %q", status, errOut)
	}
}

func TestNetstatReadsWhatTheKernelTells(t *testing.T) {
	proc := t.TempDir()
	for name, content := range map[string]string{
		"snmp":    "Ip: Forwarding InReceives\nIp: 1 77\nTcp: ActiveOpens\nTcp: 5\n",
		"netstat": "TcpExt: SyncookiesSent ListenDrops\nTcpExt: 0 9\n",
		"tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n" +
			"   0: 00000000:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999\n" +
			"   1: 0201F40A:0CEA 0301F40A:D431 01 00000010:00000002 00:00000000 00000000   999\n",
		"tcp6": "  sl  local_address rem_address st\n" +
			"   0: 00000000000000000000000000000000:08A6 00000000000000000000000000000000:0000 0A 00000000:00000000 0\n",
		"udp": "  sl  local_address rem_address   st tx_queue rx_queue\n",
	} {
		if err := os.WriteFile(filepath.Join(proc, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		args []string
		want []string
		not  []string
	}{
		{[]string{"-s"}, []string{"Tcp:\n    ActiveOpens: 5", "InReceives: 77", "ListenDrops: 9"}, []string{"SyncookiesSent"}},
		{[]string{"-tln"}, []string{"0.0.0.0:3306", ":::2214", "LISTEN"}, []string{"ESTABLISHED"}},
		{[]string{"-an"}, []string{"LISTEN", "10.244.1.2:3306", "10.244.1.3:54321", "ESTABLISHED"}, nil},
		{nil, []string{"2     16 10.244.1.2:3306"}, []string{"LISTEN"}},
		{[]string{"-u", "--all"}, []string{"Proto"}, []string{"tcp"}},
	} {
		var out, errOut bytes.Buffer
		if status := netstatAt(proc, tc.args, &out, &errOut); status != 0 {
			t.Errorf("%v: status %d: %s", tc.args, status, errOut.String())
		}
		for _, want := range tc.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%v: lacks %q:\n%s", tc.args, want, out.String())
			}
		}
		for _, not := range tc.not {
			if strings.Contains(out.String(), not) {
				t.Errorf("%v: has %q:\n%s", tc.args, not, out.String())
			}
		}
	}
	if status, _, errOut := run(t, "netstat", "-x"); status != 2 || !strings.Contains(errOut, "-x") {
		t.Errorf("status %d, %q", status, errOut)
	}
	// And of this very machine.
	if status, out, errOut := run(t, "netstat", "-s"); status != 0 || !strings.Contains(out, "Tcp:") {
		t.Errorf("status %d, %q, %q", status, out, errOut)
	}
}
