// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package pki

import (
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ContextName is the cluster, user and context of every kubeconfig file of a bed.
const ContextName = "unit-operator-bed"

// Kubeconfig writes a kubeconfig file at path that reaches server (a URL) as the client of pair. The
// certificates are embedded, so the file can be copied elsewhere; only its owner may read it.
func (a *Authority) Kubeconfig(path, server string, pair Pair) error {
	ca, err := os.ReadFile(a.CACert())
	if err != nil {
		return err
	}
	cert, err := os.ReadFile(pair.Cert)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(pair.Key)
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[ContextName] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos[ContextName] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	config.Contexts[ContextName] = &clientcmdapi.Context{Cluster: ContextName, AuthInfo: ContextName}
	config.CurrentContext = ContextName
	return clientcmd.WriteToFile(*config, path)
}
