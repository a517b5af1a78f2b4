// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BenchmarkOperatorMemoryWithForeignSecrets prints the operator's resident memory
// beside 50,000 Secrets and ConfigMaps that are none of its business, as a ratio
// to its memory without them. Run it by `make bench`.
func BenchmarkOperatorMemoryWithForeignSecrets(b *testing.B) {
	e := require(b)
	const each = 25_000
	p := newProxy(b, e.config, e.token)
	ns := e.namespace(b, "memory")
	e.create(b, mysqlGroup(ns, "orders", 3))

	measure := func() float64 {
		op := startOperator(b, operatorOptions{host: p.URL()})
		e.settled(b, ns, 3)
		time.Sleep(10 * time.Second)
		rss := op.rss(b)
		op.stop(b)
		return rss
	}
	without := measure()
	foreign := e.namespace(b, "foreign")
	payload := bytes.Repeat([]byte("x"), 2048)
	start := time.Now()
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < each; i += 16 {
				ctx := context.Background()
				name := fmt.Sprintf("foreign-%05d", i)
				_, err := e.kube.CoreV1().Secrets(foreign).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{"k": payload}}, metav1.CreateOptions{})
				if err == nil {
					_, err = e.kube.CoreV1().ConfigMaps(foreign).Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"k": string(payload)}}, metav1.CreateOptions{})
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.Logf("%d foreign objects made in %v", 2*each, time.Since(start).Round(time.Second))
	with := measure()
	b.ReportMetric(without/(1<<20), "MiB-without")
	b.ReportMetric(with/(1<<20), "MiB-with")
	b.ReportMetric(with/without, "ratio")
	if with > 1.10*without {
		b.Errorf("resident memory grows by %.1f %%, want at most 10 %%", 100*(with/without-1))
	}
}

// rss is the process's resident set in bytes.
func (op *operator) rss(t testing.TB) float64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", op.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kb, err := strconv.ParseFloat(string(bytes.Fields(rest)[0]), 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb * 1024
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
