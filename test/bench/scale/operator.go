// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// operatorAddress of /readyz and /metrics, in a network namespace that nobody shares.
const operatorAddress = "127.0.0.1:8081"

// process is a running operator.
type process struct {
	cmd    *exec.Cmd
	log    *os.File
	waited chan struct{}
}

// startOperator with its default flags, or without a limit on requests, and wait until
// its caches are synced.
func (b *bench) startOperator(ctx context.Context, p *plane, unthrottled bool) (*process, error) {
	config := clientcmdapi.NewConfig()
	ca, err := os.ReadFile(p.config.CAFile)
	if err != nil && len(p.config.CAData) == 0 {
		return nil, err
	}
	if len(p.config.CAData) > 0 {
		ca = p.config.CAData
	}
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: p.config.Host, CertificateAuthorityData: ca}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: p.token}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	path := filepath.Join(p.light.Dir, "operator.kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return nil, err
	}
	args := []string{
		"--kubeconfig", path, "--agent-image", "upmio/unit-agent:bench", "--agent-dial", "pod-ip",
		"--leader-elect=false", "--http-address", operatorAddress,
	}
	if b.keep {
		args = append(args, "--profiling")
	}
	if unthrottled {
		args = append(args, "--kube-api-qps", "5000", "--kube-api-burst", "10000")
	}
	log, err := os.OpenFile(filepath.Join(p.light.Dir, "log", "operator.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, b.operator, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	o := &process{cmd: cmd, log: log, waited: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(o.waited)
	}()
	err = poll(ctx, 2*time.Minute, func() error {
		select {
		case <-o.waited:
			return errors.New("the operator ended: see its log")
		default:
		}
		_, err := get(ctx, "/readyz")
		return err
	})
	return o, err
}

// stop it as an administrator would.
func (o *process) stop() {
	_ = o.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-o.waited:
	case <-time.After(30 * time.Second):
		_ = o.cmd.Process.Kill()
		<-o.waited
	}
	_ = o.log.Close()
}

// memory of the operator in MiB.
type memory struct {
	// resident now, and the highest since the process began.
	resident, peak float64
	// program is what of it are pages of the executable, which the kernel can drop.
	program float64
}

func (m memory) String() string {
	return fmt.Sprintf("%.0f MiB (%.0f of its program), at most %.0f MiB", m.resident, m.program, m.peak)
}

func (o *process) memory() (m memory) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.cmd.Process.Pid))
	if err != nil {
		return m
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(fields[1], 64)
		switch fields[0] {
		case "VmRSS:":
			m.resident = kib / 1024
		case "VmHWM:":
			m.peak = kib / 1024
		case "RssFile:":
			m.program = kib / 1024
		}
	}
	return m
}

// get a page of the operator's.
func get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+operatorAddress+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, resp.Status)
	}
	return body.Bytes(), nil
}

// keepHeap writes what the operator's memory is used for beside its logs, if they are
// kept.
func (b *bench) keepHeap(ctx context.Context, p *plane, name string) error {
	if !b.keep {
		return nil
	}
	raw, err := get(ctx, "/debug/pprof/heap?gc=1")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.light.Dir, "log", name+".heap"), raw, 0o600)
}

// metrics of the operator: the values of its series, by name and labels as they are
// printed.
type metrics map[string]float64

func readMetrics(ctx context.Context) (metrics, error) {
	raw, err := get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	m := metrics{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		name, value, found := cutLast(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); found && err == nil && !strings.HasPrefix(name, "#") {
			m[name] = v
		}
	}
	return m, lines.Err()
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// sum of the series of this name that have this label.
func (m metrics) sum(name, label string) (sum float64) {
	for series, v := range m {
		if strings.HasPrefix(series, name+"{") && strings.Contains(series, label) {
			sum += v
		}
	}
	return sum
}

// histogram of the series of this name that have this label.
func (m metrics) histogram(name, label string) histogram {
	h := histogram{count: m.sum(name+"_count", label), buckets: map[float64]float64{}}
	for series, v := range m {
		if !strings.HasPrefix(series, name+"_bucket{") || !strings.Contains(series, label) {
			continue
		}
		_, bound, _ := strings.Cut(series, "le=\"")
		bound, _, _ = strings.Cut(bound, "\"")
		if b, err := strconv.ParseFloat(bound, 64); err == nil {
			h.buckets[b] += v
		}
	}
	return h
}
