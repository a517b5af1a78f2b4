// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/test/apiproxy"
)

// point of a call's life at which the operator is killed: a write of the call's status,
// known by what it says.
type point struct {
	name, says string
	// heard: the API server has carried the write out. Else it never hears of it.
	heard bool
}

var points = []point{
	{name: "before the intent", says: `"journalID":`},
	{name: "after the intent", says: `"journalID":`, heard: true},
	{name: "after the dispatch", says: `"phase":"Running"`},
	{name: "while it runs", says: `"phase":"Running"`, heard: true},
	{name: "before the result is written", says: `"result":`},
	{name: "after the result is written", says: `"result":`, heard: true},
}

// operatorKilled kills the operator at each point of calls of a unit.
func operatorKilled(t *testing.T, v *victim) {
	proxy := apiproxy.New(t, v.e.config, nil)
	// The way to the API server goes with the test.
	t.Cleanup(func() { v.e.restartOperator(t) })
	kubeconfig := proxied(t, proxy)
	v.e.restartOperator(t, "--kubeconfig", kubeconfig)
	killed := func(t *testing.T, p point, action v1alpha1.Action, parameters map[string]any) string {
		t.Helper()
		dead := make(chan struct{})
		strike := func(_ int, c apiproxy.Call, body []byte) bool {
			if c.Resource != "grpccalls/status" || c.Namespace != opsNamespace || !bytes.Contains(body, []byte(p.says)) {
				return true
			}
			proxy.Hook(nil, nil)
			v.e.stopOperator()
			close(dead)
			return false
		}
		if p.heard {
			proxy.Hook(nil, strike)
		} else {
			proxy.Hook(strike, nil)
		}
		call := v.start(t, action, parameters)
		select {
		case <-dead:
		case <-time.After(patience):
			t.Fatalf("the operator never wrote %s", p.says)
		}
		v.e.restartOperator(t, "--kubeconfig", kubeconfig)
		return call
	}

	for _, p := range points {
		t.Run("a backup whose operator is killed "+p.name+" is made once", func(t *testing.T) {
			folder := v.folder(strings.ReplaceAll("operator "+p.name, " ", "-"))
			call := killed(t, p, v1alpha1.ActionPhysicalBackup, v.to(folder))
			v.succeeds(t, call)
			v.settled(t, call)
			if n := v.tidy(t, folder); n != 1 {
				t.Errorf("%d backups were made", n)
			}
		})
	}

	source := v.folder("operator")
	v.succeeds(t, v.backup(t, source))
	want := v.total(t)
	for _, p := range points[1:] {
		t.Run("a restore whose operator is killed "+p.name+" runs once", func(t *testing.T) {
			before := v.generation(t)
			v.mark(t)
			v.succeeds(t, killed(t, p, v1alpha1.ActionRestore, v.from(source)))
			v.unchanged(t, want)
			if after := v.generation(t); after != before+1 {
				t.Errorf("the data was replaced %d times", after-before)
			}
		})
	}

	t.Run("a variable that was set is not set again by the next operator", func(t *testing.T) {
		v.succeeds(t, killed(t, points[5], v1alpha1.ActionSetVariable, map[string]any{"variables": map[string]any{"work_mem": "7MB"}}))
		v.sql(t, "", "ALTER SYSTEM SET work_mem = '9MB'")
		v.sql(t, "", "SELECT pg_reload_conf()")
		// One call later the operator has looked at all of them.
		v.succeeds(t, v.backup(t, v.folder("operator-later")))
		if got := v.sql(t, "", "SHOW work_mem"); got != "9MB" {
			t.Errorf("work_mem is %s, and was 9MB", got)
		}
	})
}

// settled: the agent was told that the result is stored, and the call may go.
func (v *victim) settled(t *testing.T, call string) {
	t.Helper()
	eventually(t, time.Minute, "the finalizer of "+call+" to go", func(ctx context.Context) error {
		c, err := v.e.upm.UpmV1alpha1().GrpcCalls(opsNamespace).Get(ctx, call, metav1.GetOptions{})
		if err == nil && len(c.Finalizers) > 0 {
			err = fmt.Errorf("it has %v", c.Finalizers)
		}
		return err
	})
}

// proxied writes a kubeconfig that leads through the proxy.
func proxied(t *testing.T, p *apiproxy.Proxy) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["proxy"] = &clientcmdapi.Cluster{Server: p.URL()}
	config.Contexts["proxy"] = &clientcmdapi.Context{Cluster: "proxy"}
	config.CurrentContext = "proxy"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}
