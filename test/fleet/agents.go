// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/pkg/agentclient"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
	agentv1 "github.com/upmio/unit-operator/proto/agent/v1"
)

// agents are those of all pods: one server that listens at each pod's address.
type agents struct {
	agentv1.UnimplementedUnitServiceServer

	kube   kubernetes.Interface
	server *grpc.Server
	// changed is called when an agent was told something new.
	changed func(types.NamespacedName)
	slow    func(types.UID) time.Duration

	mu     sync.Mutex
	byName map[cache.ObjectName]*agent
	byIP   map[string]*agent
	// silent says which pods' agents accept connections and say nothing on them.
	silent func(namespace, unit string) bool
}

// agent of one pod.
type agent struct {
	pod      types.NamespacedName
	podUID   types.UID
	unit     string
	ip       string
	listener net.Listener

	mu          sync.Mutex
	certificate *tls.Config
	unitUID     string
	hash        string
	generation  int64
	held        bool
	claims      map[string]string
}

func newAgents(o Options, kube kubernetes.Interface, changed func(types.NamespacedName)) *agents {
	a := &agents{
		kube: kube, changed: changed, byName: map[cache.ObjectName]*agent{}, byIP: map[string]*agent{},
		silent: func(string, string) bool { return false },
		slow: func(uid types.UID) time.Duration {
			h := fnv.New32a()
			_, _ = h.Write([]byte(uid))
			if float64(h.Sum32()%1000) < 1000*o.SlowShare {
				return o.SlowBy
			}
			return 0
		},
	}
	a.server = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: a.certificateFor})),
		grpc.ReadBufferSize(4<<10), grpc.WriteBufferSize(4<<10),
	)
	agentv1.RegisterUnitServiceServer(a.server, a)
	return a
}

func (a *agents) stop() { a.server.Stop() }

// Silence the agents of these units, of pods that start from now on; nil for none. Their addresses accept connections and never say a word on them, as those of a node do
// that hangs.
func (f *Fleet) Silence(silent func(namespace, unit string) bool) {
	if silent == nil {
		silent = func(string, string) bool { return false }
	}
	f.agents.mu.Lock()
	defer f.agents.mu.Unlock()
	f.agents.silent = silent
}

// serve at the address of a pod.
func (a *agents) serve(pod *corev1.Pod) (*agent, error) {
	key := cache.MetaObjectToName(pod)
	a.mu.Lock()
	defer a.mu.Unlock()
	if ag := a.byName[key]; ag != nil {
		return ag, nil
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(pod.Status.PodIP, fmt.Sprint(agentclient.Port)))
	if err != nil {
		return nil, err
	}
	ag := &agent{
		pod: types.NamespacedName{Namespace: pod.Namespace, Name: pod.Name}, podUID: pod.UID, unit: unitOf(pod),
		ip: pod.Status.PodIP, listener: listener,
	}
	a.byName[key], a.byIP[ag.ip] = ag, ag
	if a.silent(pod.Namespace, ag.unit) {
		return ag, nil // the kernel accepts
	}
	go func() { _ = a.server.Serve(listener) }() // until the listener is closed
	return ag, nil
}

// gone: a pod has no agent any more.
func (a *agents) gone(key cache.ObjectName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ag := a.byName[key]; ag != nil {
		_ = ag.listener.Close()
		delete(a.byName, key)
		delete(a.byIP, ag.ip)
	}
}

// replaced ends the agent of another pod of that name.
func (a *agents) replaced(key cache.ObjectName, uid types.UID) {
	a.mu.Lock()
	ag := a.byName[key]
	a.mu.Unlock()
	if ag != nil && ag.podUID != uid {
		a.gone(key)
	}
}

// told says whether the agent has what its server needs.
func (ag *agent) told() bool {
	ag.mu.Lock()
	defer ag.mu.Unlock()
	return ag.hash != "" && !ag.held
}

func (a *agents) at(addr net.Addr) (*agent, error) {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if ag := a.byIP[host]; ag != nil {
		return ag, nil
	}
	return nil, fmt.Errorf("no pod has the address %s", host)
}

// certificateFor a connection is that of the unit whose pod has the address, as the
// kubelet would mount it.
func (a *agents) certificateFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	ag, err := a.at(hello.Conn.LocalAddr())
	if err != nil {
		return nil, err
	}
	ag.mu.Lock()
	defer ag.mu.Unlock()
	if ag.certificate != nil {
		return ag.certificate, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	secret, err := a.kube.CoreV1().Secrets(ag.pod.Namespace).Get(ctx, podspec.TLSSecretName(ag.unit), metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(secret.Data["ca.crt"]) {
		return nil, errors.New("the Secret has no CA")
	}
	ag.certificate = &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"}, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, SessionTicketsDisabled: true,
	}
	return ag.certificate, nil
}

// called is the agent that a call is for, after the time that it takes.
func (a *agents) called(ctx context.Context) (*agent, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return nil, status.Error(codes.Internal, "a call without a peer")
	}
	ag, err := a.at(p.LocalAddr)
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	if d := a.slow(ag.podUID); d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return ag, nil
}

// GetStatus implements agentv1.UnitServiceServer.
func (a *agents) GetStatus(ctx context.Context, _ *agentv1.GetStatusRequest) (*agentv1.GetStatusResponse, error) {
	ag, err := a.called(ctx)
	if err != nil {
		return nil, err
	}
	ag.mu.Lock()
	defer ag.mu.Unlock()
	return ag.status(), nil
}

// Apply implements agentv1.UnitServiceServer.
func (a *agents) Apply(ctx context.Context, r *agentv1.ApplyRequest) (*agentv1.ApplyResponse, error) {
	ag, err := a.called(ctx)
	if err != nil {
		return nil, err
	}
	ag.mu.Lock()
	defer ag.mu.Unlock()
	f := r.GetFence()
	if f.GetPodUid() != string(ag.podUID) || f.GetUnitGeneration() < ag.generation {
		return nil, status.Error(codes.FailedPrecondition, "for another pod, or older than what was seen")
	}
	if hash := r.GetConfiguration().GetHash(); hash != "" {
		ag.hash = hash
	}
	ag.unitUID, ag.generation, ag.held, ag.claims = f.GetUnitUid(), f.GetUnitGeneration(), r.GetStartupHold(), r.GetClaimUids()
	a.changed(ag.pod)
	return &agentv1.ApplyResponse{Status: ag.status()}, nil
}

// status of a server that runs as soon as it may.
func (ag *agent) status() *agentv1.GetStatusResponse {
	s := &agentv1.GetStatusResponse{
		AgentVersion: "fleet", PodUid: string(ag.podUID), UnitUid: ag.unitUID, UnitGeneration: ag.generation, JournalId: "fleet",
		Configuration: &agentv1.ConfigurationStatus{AppliedHash: ag.hash, RunningHash: ag.hash},
		Server:        &agentv1.ServerStatus{State: agentv1.ServerState_SERVER_STATE_RUNNING, Version: "fleet", Writable: true},
		Data: &agentv1.DataIdentity{
			SystemId: "system-" + ag.unit, ClaimUids: ag.claims, Pristine: new(true), Virgin: true,
		},
	}
	switch {
	case ag.hash == "":
		s.Server = &agentv1.ServerStatus{State: agentv1.ServerState_SERVER_STATE_WAITING, Message: "waiting for the operator's first configuration of this pod"}
		s.Data = nil
	case ag.held:
		s.Holds = []string{"startup"}
		s.Server = &agentv1.ServerStatus{State: agentv1.ServerState_SERVER_STATE_HELD, Message: "held by startup"}
	}
	return s
}
