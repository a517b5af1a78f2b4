// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// execute runs the command with those arguments and returns the options that Run
// would have been called with, nil if it was not.
func execute(args ...string) (got *Options, stdout string, err error) {
	command := newCommand(func(_ context.Context, o *Options) error {
		got = o
		return nil
	})
	var out bytes.Buffer
	command.SetArgs(args)
	command.SetOut(&out)
	command.SetErr(&out)
	err = command.ExecuteContext(context.Background())
	return got, out.String(), err
}

func TestFlagsBecomeOptions(t *testing.T) {
	// klog's flags are the process's.
	t.Cleanup(func() { _, _, _ = execute("--agent-image=a", "-v=0", "--vmodule=") })
	for name, tc := range map[string]struct {
		args []string
		want func(*Options)
	}{
		"the image of the agent is all that must be given": {
			args: []string{"--agent-image=agent:1"},
			want: func(o *Options) { o.AgentImage = "agent:1" },
		},
		"every flag is read": {
			args: []string{
				"--kubeconfig", "k", "--operator-namespace", "ops", "--namespaces", "a,b", "--namespaces=c",
				"--kube-api-qps", "7.5", "--kube-api-burst", "9", "--agent-image", "agent:1", "--agent-dial", "port-forward",
				"--cluster-domain", "example.org", "--concurrent-unitset-syncs", "2", "--concurrent-unit-syncs", "3", "--concurrent-grpccall-syncs", "4", "--concurrent-mysqlreplication-syncs", "5", "--concurrent-postgresreplication-syncs", "6",
				"--leader-elect=false", "--leader-elect-lease-duration", "60s", "--leader-elect-renew-deadline", "40s",
				"--leader-elect-retry-period", "5s", "--http-address", "127.0.0.1:9", "--profiling", "--memory-limit", "1Gi", "-v=3", "--vmodule=a=5",
			},
			want: func(o *Options) {
				*o = Options{
					Kubeconfig: "k", OperatorNamespace: "ops", Namespaces: []string{"a", "b", "c"}, KubeAPIQPS: 7.5, KubeAPIBurst: 9,
					AgentImage: "agent:1", AgentDial: "port-forward", ClusterDomain: "example.org",
					ConcurrentUnitSetSyncs: 2, ConcurrentUnitSyncs: 3, ConcurrentGrpcCallSyncs: 4, ConcurrentMysqlReplicationSyncs: 5, ConcurrentPostgresReplicationSyncs: 6,
					LeaseDuration: time.Minute, RenewDeadline: 40 * time.Second, RetryPeriod: 5 * time.Second,
					HTTPAddress: "127.0.0.1:9", Profiling: true, MemoryLimit: "1Gi",
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := execute(tc.args...)
			if err != nil {
				t.Fatal(err)
			}
			want := NewOptions()
			tc.want(want)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("options (-want +got):\n%s", d)
			}
		})
	}
}

func TestWhatCannotWorkIsRefusedWithWhatToWriteInstead(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		// want are the flags that the error names, each with a part of the advice.
		want map[string]string
	}{
		"no image of the agent":            {nil, map[string]string{"--agent-image": "--agent-image=registry.example.com/unit-agent:v1.2.3"}},
		"an image with white space":        {[]string{"--agent-image=a b"}, map[string]string{"--agent-image": "give one image"}},
		"no operator namespace":            {[]string{"--agent-image=a", "--operator-namespace="}, map[string]string{"--operator-namespace": "no name of a namespace"}},
		"a namespace in upper case":        {[]string{"--agent-image=a", "--namespaces=A"}, map[string]string{"--namespaces": "leave the flag out to serve all"}},
		"a namespace twice":                {[]string{"--agent-image=a", "--namespaces=b,b"}, map[string]string{"--namespaces": "name each once"}},
		"no requests":                      {[]string{"--agent-image=a", "--kube-api-qps=0"}, map[string]string{"--kube-api-qps": "above 0"}},
		"no burst":                         {[]string{"--agent-image=a", "--kube-api-burst=0"}, map[string]string{"--kube-api-burst": "at least 1"}},
		"an unknown way to dial":           {[]string{"--agent-image=a", "--agent-dial=smoke"}, map[string]string{"--agent-dial": "auto, pod-ip, port-forward"}},
		"no DNS domain":                    {[]string{"--agent-image=a", "--cluster-domain=_"}, map[string]string{"--cluster-domain": "cluster.local"}},
		"no workers":                       {[]string{"--agent-image=a", "--concurrent-unitset-syncs=0", "--concurrent-unit-syncs=-1", "--concurrent-grpccall-syncs=0"}, map[string]string{"--concurrent-unitset-syncs": "at least 1", "--concurrent-unit-syncs": "at least 1", "--concurrent-grpccall-syncs": "at least 1"}},
		"a lease shorter than its renewal": {[]string{"--agent-image=a", "--leader-elect-lease-duration=5s"}, map[string]string{"--leader-elect-lease-duration": "two could lead"}},
		"a lease of a fraction":            {[]string{"--agent-image=a", "--leader-elect-lease-duration=10500ms"}, map[string]string{"--leader-elect-lease-duration": "whole seconds"}},
		"a deadline of one try":            {[]string{"--agent-image=a", "--leader-elect-retry-period=9s"}, map[string]string{"--leader-elect-renew-deadline": "no second try"}},
		"no retry":                         {[]string{"--agent-image=a", "--leader-elect-retry-period=0s"}, map[string]string{"--leader-elect-retry-period": "2s is usual"}},
		"an address without port":          {[]string{"--agent-image=a", "--http-address=localhost"}, map[string]string{"--http-address": "HOST:PORT"}},
		"port 0":                           {[]string{"--agent-image=a", "--http-address=:0"}, map[string]string{"--http-address": "from 1 to 65535"}},
		"no amount of memory":              {[]string{"--agent-image=a", "--memory-limit=much"}, map[string]string{"--memory-limit": "64Mi"}},
		"several mistakes at once":         {[]string{"--agent-dial=smoke", "--kube-api-qps=-1"}, map[string]string{"--agent-image": "missing", "--agent-dial": "choose one", "--kube-api-qps": "above 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := execute(tc.args...)
			if err == nil || got != nil {
				t.Fatalf("not refused: %+v", got)
			}
			lines := strings.Split(err.Error(), "\n")
			if last := len(lines) - 1; lines[last] != "see unit-operator --help" {
				t.Errorf("last line %q does not lead to the help", lines[last])
			} else {
				lines = lines[:last]
			}
			if len(lines) != len(tc.want) {
				t.Errorf("%d sentences, want %d:\n%v", len(lines), len(tc.want), err)
			}
			for flag, advice := range tc.want {
				found := false
				for _, line := range lines {
					found = found || strings.HasPrefix(line, flag) && strings.Contains(line, advice)
				}
				if !found {
					t.Errorf("no sentence of %s with %q in:\n%v", flag, advice, err)
				}
			}
		})
	}
}

func TestALeaseNobodyUsesIsNotValidated(t *testing.T) {
	if _, _, err := execute("--agent-image=a", "--leader-elect=false", "--leader-elect-lease-duration=1ms"); err != nil {
		t.Error(err)
	}
}

func TestArgumentsThatAreNoFlagsAreRefused(t *testing.T) {
	if got, _, err := execute("--agent-image=a", "start"); err == nil || got != nil {
		t.Error("\"start\" was taken for nothing")
	}
}

func TestHelpTeachesTheFirstStepsAndEveryFlag(t *testing.T) {
	_, help, err := execute("--help")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"kubectl apply -f artifacts/crds", "kubectl apply -f artifacts/rbac", "kubectl apply -f artifacts/packages",
		"--kubeconfig ~/.kube/config", "unit-operator version", "/readyz",
		"Cluster:", "Units:", "Leader election:", "Process:",
	} {
		if !strings.Contains(help, want) {
			t.Errorf("the help lacks %q", want)
		}
	}
	for line := range strings.Lines(help) {
		if len(line) > 121 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
	eachFlag(func(f *pflag.Flag) {
		if !strings.Contains(help, "--"+f.Name+" ") {
			t.Errorf("the help lacks --%s", f.Name)
		}
		if f.Usage == "" {
			t.Errorf("--%s has no explanation", f.Name)
		}
	})
}

func eachFlag(visit func(*pflag.Flag)) {
	for _, s := range NewOptions().sections() {
		s.flags.VisitAll(visit)
	}
}

func TestVersionIsOneLine(t *testing.T) {
	for _, args := range [][]string{{"version"}, {"--version"}} {
		_, out, err := execute(args...)
		if err != nil || !strings.HasPrefix(out, "unit-operator ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%v printed %q, %v", args, out, err)
		}
	}
}

func TestMainEndsWithAFailureThatIsExplained(t *testing.T) {
	var out, errOut bytes.Buffer
	if status := Main([]string{"--agent-dial=smoke"}, &out, &errOut); status != 1 {
		t.Errorf("status %d", status)
	}
	for line := range strings.Lines(errOut.String()) {
		if !strings.HasPrefix(line, "unit-operator: ") {
			t.Errorf("a line that does not say who speaks: %q", line)
		}
	}
	if out.Len() > 0 {
		t.Errorf("failures belong to stderr, not to stdout: %s", &out)
	}
}

// docs/configuration.md has one row per flag: | `--flag` | default | meaning |.
func TestTheDocumentHasEveryFlagWithItsDefault(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `--?([a-z-]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = strings.Trim(m[2], "`")
	}
	flags := map[string]string{}
	eachFlag(func(f *pflag.Flag) {
		flags[f.Name] = strings.Trim(f.DefValue, "[]")
	})
	if d := cmp.Diff(flags, documented); d != "" {
		t.Errorf("flags and docs/configuration.md differ (-flags +document):\n%s", d)
	}
}

func TestTheBinaryLinksNoSQLDriverAndNoStore(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "github.com/upmio/unit-operator/cmd/unit-operator").Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %v\n%s", err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 100 {
		t.Fatalf("only %d packages listed", len(deps))
	}
	for _, dep := range deps {
		for _, prefix := range []string{"github.com/go-sql-driver/", "github.com/jackc/", "github.com/minio/", "github.com/dsnet/", "golang.org/x/crypto/x509roots/"} {
			if strings.HasPrefix(dep, prefix) {
				t.Errorf("unit-operator links %s", dep)
			}
		}
		if strings.HasPrefix(dep, "github.com/upmio/unit-operator/pkg/agent/") {
			t.Errorf("unit-operator links %s, which is the agent's", dep)
		}
	}
}
