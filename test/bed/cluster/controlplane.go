// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"path/filepath"

	"github.com/upmio/unit-operator/test/bed/pki"
)

const (
	clusterDomain = "cluster.local"
	serviceCIDR   = "10.96.0.0/16"
	// kubernetesServiceIP is the first address of serviceCIDR, which the API server takes for itself.
	kubernetesServiceIP = "10.96.0.1"
	serviceIssuer       = "https://kubernetes.default.svc." + clusterDomain
)

// controlPlane holds what the command lines of etcd and the Kubernetes control plane are made of.
type controlPlane struct {
	bin string // directory of the binaries
	dir string // state directory

	bindAddress string
	// advertiseAddress is where pods reach the API server through the kubernetes Service; empty where
	// there are no pods.
	advertiseAddress                string
	apiPort, etcdPort, etcdPeerPort int

	apiServerArgs, controllerManagerArgs, schedulerArgs []string // the caller's, last, so that they win

	authority *pki.Authority
	keys      controlPlaneKeys
}

// controlPlaneKeys are the certificates of the control plane's components.
type controlPlaneKeys struct {
	etcd, etcdClient, apiServer, kubeletClient, serviceAccounts, admin, controllerManager, scheduler pki.Pair
}

// kubeletClientUser is who the API server is to a kubelet; files/manifests.yaml lets it do its work.
const kubeletClientUser = "unit-operator-bed:kube-apiserver"

// issue makes the certificates and kubeconfig files of the control plane. extraSANs are further names
// and addresses under which clients reach the API server.
func (c *controlPlane) issue(extraSANs []string) error {
	var err error
	if c.authority, err = pki.Open(c.pkiDir()); err != nil {
		return err
	}
	loopback := []string{"localhost", "127.0.0.1", "::1"}
	sans := append([]string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + clusterDomain, kubernetesServiceIP,
	}, loopback...)
	if c.advertiseAddress != "" {
		sans = append(sans, c.advertiseAddress)
	}
	sans = append(sans, extraSANs...)
	for _, certificate := range []struct {
		pair    *pki.Pair
		name    string
		request pki.Request
	}{
		{&c.keys.etcd, "etcd", pki.Request{User: "etcd", Hosts: loopback}},
		{&c.keys.etcdClient, "etcd-client", pki.Request{User: "kube-apiserver"}},
		{&c.keys.apiServer, "apiserver", pki.Request{User: "kube-apiserver", Hosts: sans}},
		{&c.keys.kubeletClient, "apiserver-kubelet-client", pki.Request{User: kubeletClientUser}},
		{&c.keys.admin, "admin", pki.Request{User: "admin", Groups: []string{"system:masters"}}},
		{&c.keys.controllerManager, "controller-manager", pki.Request{User: "system:kube-controller-manager"}},
		{&c.keys.scheduler, "scheduler", pki.Request{User: "system:kube-scheduler"}},
	} {
		if *certificate.pair, err = c.authority.Issue(certificate.name, certificate.request); err != nil {
			return err
		}
	}
	if c.keys.serviceAccounts, err = c.authority.ServiceAccountKeys(); err != nil {
		return err
	}
	for path, pair := range map[string]pki.Pair{
		c.adminKubeconfig():                c.keys.admin,
		c.kubeconfig("controller-manager"): c.keys.controllerManager,
		c.kubeconfig("scheduler"):          c.keys.scheduler,
	} {
		if err := c.authority.Kubeconfig(path, c.serverURL(), pair); err != nil {
			return err
		}
	}
	return nil
}

func (c *controlPlane) pkiDir() string          { return filepath.Join(c.dir, "pki") }
func (c *controlPlane) adminKubeconfig() string { return filepath.Join(c.dir, "admin.kubeconfig") }
func (c *controlPlane) kubeconfig(component string) string {
	return filepath.Join(c.pkiDir(), component+".kubeconfig")
}
func (c *controlPlane) binary(name string) string { return filepath.Join(c.bin, name) }

// serverURL is how every component and client of this machine reaches the API server.
func (c *controlPlane) serverURL() string {
	host := c.advertiseAddress
	if host == "" {
		host = c.bindAddress
	}
	return fmt.Sprintf("https://%s:%d", host, c.apiPort)
}
