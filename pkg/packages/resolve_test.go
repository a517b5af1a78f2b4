// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
)

func TestResolve(t *testing.T) {
	for name, tc := range map[string]struct {
		installed []string
		request   Request
		want      string
		image     string
	}{
		"the exact version before all":           {[]string{"mysql-8.0.41", "mysql-8.0", "mysql-8"}, Request{"mysql", "", "8.0.41"}, "mysql-8.0.41", "i:8.0.41"},
		"major and minor before major":           {[]string{"mysql-8.0", "mysql-8"}, Request{"mysql", "", "8.0.41"}, "mysql-8.0", "i:8.0.41"},
		"major alone":                            {[]string{"mysql-8", "mysql-9"}, Request{"mysql", "", "8.0.41"}, "mysql-8", "i:8.0.41"},
		"community finds the plain name":         {[]string{"mysql-8.0"}, Request{"mysql", "community", "8.0.41"}, "mysql-8.0", "i:8.0.41"},
		"community prefers its own name":         {[]string{"mysql-8.0", "mysql-community-8.0"}, Request{"mysql", "community", "8.0.41"}, "mysql-community-8.0", "i:8.0.41"},
		"no edition prefers the plain name":      {[]string{"mysql-8.0", "mysql-community-8.0"}, Request{"mysql", "", "8.0.41"}, "mysql-8.0", "i:8.0.41"},
		"no edition finds community":             {[]string{"mysql-community-8.0", "mysql-enterprise-8.0"}, Request{"mysql", "", "8.0.41"}, "mysql-community-8.0", "i:8.0.41"},
		"enterprise finds only its own":          {[]string{"mysql-8.0.41", "mysql-enterprise-8"}, Request{"mysql", "enterprise", "8.0.41"}, "mysql-enterprise-8", "i:8.0.41"},
		"a version before an edition's name":     {[]string{"mysql-community-8.0", "mysql-8.0.41"}, Request{"mysql", "community", "8.0.41"}, "mysql-8.0.41", "i:8.0.41"},
		"two parts of PostgreSQL find the major": {[]string{"postgresql-15"}, Request{"postgresql", "", "15.12"}, "postgresql-15", "i:15.12"},
		"two parts are an exact version too":     {[]string{"mysql-8.4", "mysql-8"}, Request{"mysql", "", "8.4"}, "mysql-8.4", "i:8.4"},
		"one part":                               {[]string{"postgresql-17"}, Request{"postgresql", "", "17"}, "postgresql-17", "i:17"},
		"a suffix stays in the tag":              {[]string{"mysql-8.4"}, Request{"mysql", "", "8.4.6-oraclelinux9"}, "mysql-8.4", "i:8.4.6-oraclelinux9"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			for _, p := range tc.installed {
				s.add(t, testPackage(p, string(tc.request.Type), "i:$(VERSION)")...)
			}
			got, err := Resolve(s, tc.request)
			if err != nil {
				t.Fatal(err)
			}
			if got.Name != tc.want {
				t.Errorf("found %s, want %s", got.Name, tc.want)
			}
			if image := got.Template.Spec.Containers[0].Image; image != tc.image {
				t.Errorf("image %s, want %s", image, tc.image)
			}
			want := map[string]any{"a": int64(1)}
			if diff := cmp.Diff(want, got.Values); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
			if SQLPort(tc.request.Type, got.Ports) != 1234 {
				t.Errorf("ports %v", got.Ports)
			}
		})
	}
}

func TestResolveNotFound(t *testing.T) {
	s := newStore().
		add(t, testPackage("mysql-8.0", "mysql", "i:$(VERSION)")...).
		add(t, testPackage("mysql-5.7", "mysql", "i:$(VERSION)")...).
		add(t, testPackage("postgresql-15", "postgresql", "i:$(VERSION)")...)
	unlabelled := testPackage("mysql-9.1", "mysql", "i:$(VERSION)")
	unlabelled[2].(*corev1.PodTemplate).Labels = nil
	s.add(t, unlabelled...)

	_, err := Resolve(s, Request{"mysql", "", "9.1.0"})
	var notFound *NotFoundError
	if !errors.As(err, &notFound) {
		t.Fatalf("error %v: want a NotFoundError", err)
	}
	if diff := cmp.Diff([]string{"mysql-5.7", "mysql-8.0"}, notFound.Installed); diff != "" {
		t.Errorf("installed (-want +got):\n%s", diff)
	}
	want := "no package for mysql 9.1.0 (community): looked for mysql-9.1.0, mysql-community-9.1.0, mysql-9.1, mysql-community-9.1, mysql-9, mysql-community-9; installed are mysql-5.7, mysql-8.0"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}

	if _, err := Resolve(s, Request{"proxysql", "", "2.7.1"}); err == nil || !strings.Contains(err.Error(), "none is installed") {
		t.Errorf("error %v: does not say that nothing is installed", err)
	}
	if _, err := Resolve(s, Request{"mysql", "enterprise", "8.0.41"}); !errors.As(err, &notFound) {
		t.Errorf("error %v: enterprise must not get the community's package", err)
	}
	// A version that is none has one name to look for.
	if _, err := Resolve(s, Request{"mysql", "enterprise", "latest"}); !errors.As(err, &notFound) || len(notFound.Tried) != 1 {
		t.Errorf("error %v: want a NotFoundError with one name", err)
	}
	s.err = errors.New("the cache is gone")
	if _, err := Resolve(s, Request{"mysql", "", "8.0.41"}); !errors.Is(err, s.err) {
		t.Errorf("error %v: want the lister's", err)
	}
}

func TestResolveBroken(t *testing.T) {
	for name, tc := range map[string]struct {
		breakIt   func(s *store)
		kind, key string
		object    string
		says      string
	}{
		"no container of the type's name": {
			func(s *store) { s.podTemplates["mysql-8.0"].Template.Spec.Containers[0].Name = "db" },
			"PodTemplate", "", "mysql-8.0", "no container is named mysql",
		},
		"no image": {
			func(s *store) { s.podTemplates["mysql-8.0"].Template.Spec.Containers[0].Image = "" },
			"PodTemplate", "", "mysql-8.0", "no image",
		},
		"an image of one version for all": {
			func(s *store) { s.podTemplates["mysql-8.0"].Template.Spec.Containers[0].Image = "mysql:8.0.30" },
			"PodTemplate", "", "mysql-8.0", "lacks $(VERSION)",
		},
		"another type": {
			func(s *store) { s.podTemplates["mysql-8.0"].Labels[v1alpha2.LabelType] = "postgresql" },
			"PodTemplate", "", "mysql-8.0", `"postgresql"`,
		},
		"no template ConfigMap": {
			func(s *store) { delete(s.configMaps, "mysql-8.0-config-template") },
			"ConfigMap", "", "mysql-8.0-config-template", "does not exist",
		},
		"no value ConfigMap": {
			func(s *store) { delete(s.configMaps, "mysql-8.0-config-value") },
			"ConfigMap", "", "mysql-8.0-config-value", "does not exist",
		},
		"no template of the main file": {
			func(s *store) { s.configMaps["mysql-8.0-config-template"].Data = nil },
			"ConfigMap", "", "mysql-8.0-config-template", "key mysql is missing",
		},
		"a template that does not parse": {
			func(s *store) { s.configMaps["mysql-8.0-config-template"].Data["extra.cnf"] = "a\n{{ end }}" },
			"ConfigMap", "", "mysql-8.0-config-template", "extra.cnf:2",
		},
		"no values": {
			func(s *store) { s.configMaps["mysql-8.0-config-value"].Data = nil },
			"ConfigMap", "mysql", "mysql-8.0-config-value", "missing",
		},
		"values that are not YAML": {
			func(s *store) { s.configMaps["mysql-8.0-config-value"].Data["mysql"] = "a: [" },
			"ConfigMap", "mysql", "mysql-8.0-config-value", "not YAML",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore().add(t, testPackage("mysql-8.0", "mysql", "mysql:$(VERSION)")...)
			// The less specific package that is whole must not stand in.
			s.add(t, testPackage("mysql-8", "mysql", "mysql:$(VERSION)")...)
			tc.breakIt(s)
			_, err := Resolve(s, Request{"mysql", "", "8.0.41"})
			var broken *BrokenError
			if !errors.As(err, &broken) {
				t.Fatalf("error %v: want a BrokenError", err)
			}
			if broken.Kind != tc.kind || broken.Name != tc.object || broken.Key != tc.key {
				t.Errorf("blames %s %s key %q, want %s %s key %q", broken.Kind, broken.Name, broken.Key, tc.kind, tc.object, tc.key)
			}
			if !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), tc.object) {
				t.Errorf("error %q does not say %q and name %s", err, tc.says, tc.object)
			}
		})
	}
}

func TestResolveExactVersionNeedsNoPlaceholder(t *testing.T) {
	s := newStore().add(t, testPackage("mysql-8.0.41", "mysql", "registry/mysql@sha256:abc")...)
	got, err := Resolve(s, Request{"mysql", "", "8.0.41"})
	if err != nil {
		t.Fatal(err)
	}
	if image := got.Template.Spec.Containers[0].Image; image != "registry/mysql@sha256:abc" {
		t.Errorf("image %s", image)
	}
}

func TestResolveSharesNoMemory(t *testing.T) {
	s := newStore().add(t, testPackage("mysql-8.0", "mysql", "mysql:$(VERSION)")...)
	first, err := Resolve(s, Request{"mysql", "", "8.0.41"})
	if err != nil {
		t.Fatal(err)
	}
	first.Template.Spec.Containers[0].Ports[0].ContainerPort = 1
	first.ConfigFiles["mysql"] = "changed"
	first.Values["a"] = "changed"
	second, err := Resolve(s, Request{"mysql", "", "8.0.42"})
	if err != nil {
		t.Fatal(err)
	}
	if second.Ports[0].ContainerPort != 1234 || second.ConfigFiles["mysql"] == "changed" || second.Values["a"] == "changed" {
		t.Errorf("what one caller changed, another sees: %+v", second)
	}
	if image := second.Template.Spec.Containers[0].Image; image != "mysql:8.0.42" {
		t.Errorf("image %s", image)
	}
}

func TestRequestForImage(t *testing.T) {
	for image, want := range map[string]string{
		"mysql:8.0.41": "8.0.41",
		"registry.example.com:5000/lib/mysql:8.4":    "8.4",
		"postgres:15.12@sha256:0123":                 "15.12",
		"proxysql/proxysql:2.7.1":                    "2.7.1",
		"docker.io/library/mysql:8.4.6-oraclelinux9": "8.4.6-oraclelinux9",
	} {
		got, err := RequestForImage("mysql", image)
		if err != nil || got.Version != want {
			t.Errorf("%s: %q, %v: want %s", image, got.Version, err, want)
		}
	}
	for _, image := range []string{"mysql", "mysql:latest", "registry:5000/mysql", "mysql@sha256:0123", ""} {
		if got, err := RequestForImage("mysql", image); err == nil {
			t.Errorf("%s was read as %+v", image, got)
		}
	}
}

func TestSQLPort(t *testing.T) {
	for name, tc := range map[string]struct {
		ports []corev1.ContainerPort
		want  int32
	}{
		"none":                        {nil, 0},
		"the one named like the type": {[]corev1.ContainerPort{{Name: "admin", ContainerPort: 1}, {Name: "mysql", ContainerPort: 2}}, 2},
		"else the first":              {[]corev1.ContainerPort{{Name: "a", ContainerPort: 1}, {Name: "b", ContainerPort: 2}}, 1},
	} {
		if got := SQLPort("mysql", tc.ports); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
