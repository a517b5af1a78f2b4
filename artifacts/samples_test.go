// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package artifacts

import (
	"bytes"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha1"
	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	upmscheme "github.com/upmio/unit-operator/pkg/generated/clientset/versioned/scheme"
)

// samples are the objects of samples/ by file, decoded strictly: an unknown field
// is an error.
func samples(t *testing.T) map[string][]runtime.Object {
	t.Helper()
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, upmscheme.AddToScheme} {
		if err := add(all); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(all, serializer.EnableStrict).UniversalDeserializer()
	paths, err := fs.Glob(Samples, "samples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("no samples")
	}
	objects := map[string][]runtime.Object{}
	for _, path := range paths {
		content, err := Samples.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range bytes.Split(content, []byte("\n---\n")) {
			object, _, err := decoder.Decode(document, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			objects[path] = append(objects[path], object)
		}
	}
	return objects
}

// Each file stands alone, and all of them can be applied together.
func TestSamplesHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]string{}
	for path, objects := range samples(t) {
		for _, object := range objects {
			accessor, err := meta.Accessor(object)
			if err != nil {
				t.Fatal(err)
			}
			if accessor.GetNamespace() != "" {
				t.Errorf("%s: %s names a namespace: a sample goes where kubectl -n says", path, accessor.GetName())
			}
			key := object.GetObjectKind().GroupVersionKind().Kind + " " + accessor.GetName()
			if other, ok := seen[key]; ok {
				t.Errorf("%s is in %s and in %s", key, path, other)
			}
			seen[key] = path
		}
	}
}

// What a sample refers to is in its file, or in one that its comment names.
func TestSamplesAreComplete(t *testing.T) {
	all := samples(t)
	units := map[string]v1alpha2.UnitType{}
	for _, objects := range all {
		for _, object := range objects {
			switch o := object.(type) {
			case *v1alpha2.UnitSet:
				for i := range int(*o.Spec.Units) {
					units[o.Name+"-"+string(rune('0'+i))] = o.Spec.Type
				}
			case *v1alpha2.Unit:
				units[o.Name] = v1alpha2.UnitType(o.Spec.Template.Spec.Containers[0].Name)
			}
		}
	}
	for path, objects := range all {
		secrets, configMaps := map[string]*corev1.Secret{}, map[string]bool{}
		for _, object := range objects {
			switch o := object.(type) {
			case *corev1.Secret:
				secrets[o.Name] = o
			case *corev1.ConfigMap:
				configMaps[o.Name] = true
			}
		}
		secretKey := func(owner, secret, key string) {
			if s, ok := secrets[secret]; !ok || (key != "" && s.StringData[key] == "") {
				t.Errorf("%s: %s wants key %q of Secret %s, which the file lacks", path, owner, key, secret)
			}
		}
		member := func(owner, name, host string, unitType v1alpha2.UnitType) {
			if units[name] != unitType {
				t.Errorf("%s: %s names unit %s, which is %q", path, owner, name, units[name])
			}
			set := name[:strings.LastIndex(name, "-")]
			if want := name + "." + set + "-headless-svc.default"; host != want {
				t.Errorf("%s: %s: host %s, want %s", path, owner, host, want)
			}
		}
		memberSet := func(owner, set string, unitType v1alpha2.UnitType) {
			if set != "" && units[set+"-0"] != unitType {
				t.Errorf("%s: %s names the set %s, whose units are %q", path, owner, set, units[set+"-0"])
			}
		}
		for _, object := range objects {
			switch o := object.(type) {
			case *v1alpha2.UnitSet:
				secretKey(o.Name, o.Spec.Secret.Name, "")
				for _, e := range o.Spec.Env {
					if slices.Contains([]string{"ADM_USER", "MON_USER", "REPL_USER", "PROV_USER"}, e.Name) {
						secretKey(o.Name, o.Spec.Secret.Name, e.Value)
					}
				}
				if name := o.Spec.SharedConfigName; name != "" && !configMaps[name] {
					t.Errorf("%s: ConfigMap %s is not in the file", path, name)
				}
			case *v1alpha2.Unit:
				if name := o.Spec.ConfigValueName; name != "" && !configMaps[name] {
					t.Errorf("%s: ConfigMap %s is not in the file", path, name)
				}
				for _, e := range o.Spec.Template.Spec.Containers[0].Env {
					if e.ValueFrom != nil {
						secretKey(o.Name, e.ValueFrom.SecretKeyRef.Name, e.ValueFrom.SecretKeyRef.Key)
					}
				}
			case *v1alpha1.MysqlReplication:
				secretKey(o.Name, o.Spec.Secret.Name, o.Spec.Secret.Mysql)
				secretKey(o.Name, o.Spec.Secret.Name, o.Spec.Secret.Replication)
				member(o.Name, o.Spec.Source.Name, o.Spec.Source.Host, "mysql")
				for _, r := range o.Spec.Replica {
					member(o.Name, r.Name, r.Host, "mysql")
				}
				memberSet(o.Name, o.Spec.UnitSet, "mysql")
			case *v1alpha1.PostgresReplication:
				secretKey(o.Name, o.Spec.Secret.Name, o.Spec.Secret.Postgres)
				secretKey(o.Name, o.Spec.Secret.Name, o.Spec.Secret.Replication)
				member(o.Name, o.Spec.Primary.Name, o.Spec.Primary.Host, "postgresql")
				for _, r := range o.Spec.Standby {
					member(o.Name, r.Name, r.Host, "postgresql")
				}
				memberSet(o.Name, o.Spec.UnitSet, "postgresql")
			case *v1alpha1.GrpcCall:
				if units[o.Spec.TargetUnit] != v1alpha2.UnitType(o.Spec.Type) {
					t.Errorf("%s: unit %s is %q, not %s", path, o.Spec.TargetUnit, units[o.Spec.TargetUnit], o.Spec.Type)
				}
			}
		}
	}
}

// The samples show every kind, type, mode and action there is.
func TestSamplesCoverTheAPI(t *testing.T) {
	shown := map[string]bool{}
	for _, objects := range samples(t) {
		for _, object := range objects {
			switch o := object.(type) {
			case *v1alpha2.UnitSet:
				shown["UnitSet "+string(o.Spec.Type)] = true
			case *v1alpha2.Unit:
				shown["Unit "+o.Spec.Template.Spec.Containers[0].Name] = true
			case *v1alpha1.MysqlReplication:
				shown[string("MysqlReplication "+o.Spec.Mode)] = true
				shown["membership by set"] = shown["membership by set"] || o.Spec.UnitSet != ""
			case *v1alpha1.PostgresReplication:
				shown[string("PostgresReplication "+o.Spec.Mode)] = true
			case *v1alpha1.GrpcCall:
				shown[string(o.Spec.Type)+" "+string(o.Spec.Action)] = true
			}
		}
	}
	for _, want := range []string{
		"UnitSet mysql", "UnitSet postgresql", "UnitSet proxysql", "Unit mysql", "Unit postgresql",
		"MysqlReplication rpl_semi_sync", "MysqlReplication group_replication", "PostgresReplication rpl_sync", "membership by set",
		"mysql logical-backup", "mysql physical-backup", "mysql restore", "mysql gtid-purge", "mysql set-variable", "mysql clone",
		"postgresql logical-backup", "postgresql physical-backup", "postgresql restore", "postgresql set-variable", "postgresql clone",
	} {
		if !shown[want] {
			t.Errorf("no sample shows %s", want)
		}
	}
}

// A file says in its first line what it shows.
func TestFilesBeginWithAComment(t *testing.T) {
	for _, dir := range []fs.FS{Packages, Samples} {
		err := fs.WalkDir(dir, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(dir, path)
			if err == nil && !regexp.MustCompile(`^# [A-Z]`).Match(content) {
				t.Errorf("%s does not begin with a comment", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
