// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package podspec

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
)

// logName is the storage or emptyDir that text logs go to.
const logName = "log"

// Facts of a unit that its pod and claims tell, for the rendering of its
// configuration. Managed is the caller's to set: it depends on who lists the
// unit.
func Facts(in Input) (configtemplate.Facts, error) {
	b, err := newBuilder(in)
	if err != nil {
		return configtemplate.Facts{}, err
	}
	version, err := configtemplate.ParseVersion(Version(in.Unit))
	if err != nil {
		return configtemplate.Facts{}, fmt.Errorf("the version of container %s: %w: give its image a tag that begins with the version", b.database.Name, err)
	}
	facts := configtemplate.Facts{
		Unit: configtemplate.Unit{
			Name:      in.Unit.Name,
			Namespace: in.Unit.Namespace,
			Set:       b.set,
			Ordinal:   ordinal(in.Unit),
			Host:      b.host(),
			ServerID:  configtemplate.ServerID(string(in.Unit.UID)),
		},
		Version:   version,
		Memory:    b.database.Resources.Limits.Memory().Value(),
		CPU:       b.database.Resources.Limits.Cpu().MilliValue(),
		DataSize:  b.dataSize(),
		ArchMode:  envValue(b.database.Env, "ARCH_MODE"),
		Port:      SQLPort(in.Unit, in.Package),
		Ports:     map[string]int32{},
		DataMount: b.data.mountPath,
		TLS:       b.tls(),
	}
	for _, p := range b.database.Ports {
		if p.Name != "" {
			facts.Ports[p.Name] = p.ContainerPort
		}
	}
	for _, s := range b.storages() {
		if s.name == logName {
			facts.LogMount = s.mountPath
		}
	}
	if _, m := b.secret(SecretVolume); m != nil {
		facts.SecretMount = m.MountPath
	}
	return facts, nil
}

// host is the name by which others reach the unit. A standalone unit has one of
// its own only if its template names a subdomain.
func (b *builder) host() string {
	switch {
	case b.set != "":
		return b.Unit.Name + "." + b.set + "-headless-svc." + b.Unit.Namespace
	case b.spec.Subdomain != "":
		return cmp.Or(b.spec.Hostname, b.Unit.Name) + "." + b.spec.Subdomain + "." + b.Unit.Namespace
	}
	return cmp.Or(b.spec.Hostname, b.Unit.Name)
}

// dataSize is what is asked of the data's claim, or the limit of its emptyDir; 0
// if neither is known.
func (b *builder) dataSize() int64 {
	for i := range b.Unit.Spec.VolumeClaimTemplates {
		if t := &b.Unit.Spec.VolumeClaimTemplates[i]; t.Name == b.data.name {
			return t.Spec.Resources.Requests.Storage().Value()
		}
	}
	if v := volumeNamed(&b.spec, b.data.name); v != nil && v.EmptyDir != nil && v.EmptyDir.SizeLimit != nil {
		return v.EmptyDir.SizeLimit.Value()
	}
	return 0
}

// CertificateSecret names the Secret of the server's certificate, empty without
// one.
func CertificateSecret(unit *v1alpha2.Unit) string {
	v := volumeNamed(&unit.Spec.Template.Spec, CertificateVolume)
	if v == nil || v.Secret == nil || databaseMounts(&unit.Spec.Template.Spec, CertificateVolume) == nil {
		return ""
	}
	return v.Secret.SecretName
}

// tls names the certificate's files where its Secret is mounted, whatever paths
// SSL_CA and alike name: nothing renews a copy.
func (b *builder) tls() configtemplate.TLS {
	files := configtemplate.TLS{Mode: envValue(b.database.Env, "SSL_MODE")}
	_, m := b.secret(CertificateVolume)
	if m == nil {
		return files
	}
	keys := b.CertificateKeys
	if keys == nil {
		keys = []string{"ca.crt", "tls.crt", "tls.key"}
	}
	file := func(names ...string) string {
		for _, name := range names {
			if slices.Contains(keys, name) {
				return path.Join(m.MountPath, name)
			}
		}
		return ""
	}
	files.CA = file("ca.crt")
	files.Cert, files.Key = file("tls.crt", "server.crt"), file("tls.key", "server.key")
	return files
}

// ordinal of a unit in its set; 0 without one.
func ordinal(unit *v1alpha2.Unit) int32 {
	n, err := strconv.ParseInt(unit.Labels[v1alpha2.LabelOrdinal], 10, 32)
	if err != nil || n < 0 || SetName(unit) == "" {
		return 0
	}
	return int32(n)
}

// envValue of a variable; empty if it is absent or comes from elsewhere.
func envValue(env []corev1.EnvVar, name string) string {
	if e := find(env, func(e *corev1.EnvVar) bool { return e.Name == name }); e != nil {
		return e.Value
	}
	return ""
}
