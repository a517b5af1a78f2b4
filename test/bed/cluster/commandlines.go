// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"fmt"
	"path/filepath"
	"strconv"
)

// etcdCommand lets clients of the bed's authority in and nobody else. Data is not synced to disk: a
// bed does not survive the machine, and tests are several times faster.
func (c *controlPlane) etcdCommand() []string {
	client := fmt.Sprintf("https://127.0.0.1:%d", c.etcdPort)
	peer := fmt.Sprintf("https://127.0.0.1:%d", c.etcdPeerPort)
	ca, keys := c.authority.CACert(), c.keys.etcd
	return []string{
		c.binary("etcd"),
		"--name", "bed",
		"--data-dir", filepath.Join(c.dir, "etcd"),
		"--unsafe-no-fsync",
		"--quota-backend-bytes", strconv.Itoa(4 << 30),
		"--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--cert-file", keys.Cert, "--key-file", keys.Key, "--trusted-ca-file", ca, "--client-cert-auth",
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "bed=" + peer,
		"--peer-cert-file", keys.Cert, "--peer-key-file", keys.Key, "--peer-trusted-ca-file", ca, "--peer-client-cert-auth",
	}
}

func (c *controlPlane) apiServerCommand() []string {
	ca := c.authority.CACert()
	argv := []string{
		c.binary("kube-apiserver"),
		"--etcd-servers", fmt.Sprintf("https://127.0.0.1:%d", c.etcdPort),
		"--etcd-cafile", ca, "--etcd-certfile", c.keys.etcdClient.Cert, "--etcd-keyfile", c.keys.etcdClient.Key,
		"--bind-address", c.bindAddress, "--secure-port", strconv.Itoa(c.apiPort),
		"--cert-dir", c.pkiDir(), "--tls-cert-file", c.keys.apiServer.Cert, "--tls-private-key-file", c.keys.apiServer.Key,
		"--client-ca-file", ca,
		"--service-account-key-file", c.keys.serviceAccounts.Cert,
		"--service-account-signing-key-file", c.keys.serviceAccounts.Key,
		"--service-account-issuer", serviceIssuer,
		"--service-cluster-ip-range", serviceCIDR,
		"--authorization-mode", "Node,RBAC",
		"--enable-admission-plugins", "NodeRestriction",
		"--allow-privileged",
		"--kubelet-certificate-authority", ca,
		"--kubelet-client-certificate", c.keys.kubeletClient.Cert, "--kubelet-client-key", c.keys.kubeletClient.Key,
		// By address: the nodes' names are in no DNS that this process asks.
		"--kubelet-preferred-address-types", "InternalIP",
	}
	if c.advertiseAddress != "" {
		argv = append(argv, "--advertise-address", c.advertiseAddress)
	} else {
		// Nothing could use endpoints on loopback, and the API server would not find another address
		// on a machine without a default route.
		argv = append(argv, "--advertise-address", c.bindAddress, "--endpoint-reconciler-type", "none")
	}
	return append(argv, c.apiServerArgs...)
}

func (c *controlPlane) controllerManagerCommand() []string {
	argv := []string{
		c.binary("kube-controller-manager"),
		"--kubeconfig", c.kubeconfig("controller-manager"),
		"--secure-port", "0", // nobody asks it
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--service-account-private-key-file", c.keys.serviceAccounts.Key,
		"--root-ca-file", c.authority.CACert(),
		"--cluster-signing-cert-file", c.authority.CA().Cert, "--cluster-signing-key-file", c.authority.CA().Key,
		"--flex-volume-plugin-dir", filepath.Join(c.dir, "volume-plugins"), // else below /usr
		// So that tests of lost nodes take seconds; the kubelets report every five.
		"--node-monitor-grace-period", "20s",
	}
	return append(argv, c.controllerManagerArgs...)
}

func (c *controlPlane) schedulerCommand() []string {
	argv := []string{
		c.binary("kube-scheduler"),
		"--kubeconfig", c.kubeconfig("scheduler"),
		"--secure-port", "0",
		"--leader-elect=false",
	}
	return append(argv, c.schedulerArgs...)
}
