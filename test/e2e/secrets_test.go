// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/upmio/unit-operator/test/leak"
)

// documentedPassword is the one that the API's documentation shows in clear text. The
// user has written it into the spec of a GrpcCall; it may be nowhere else.
const documentedPassword = "password"

// witness records, as long as the tests run, all that could tell a secret, and learns
// what the secrets are.
type witness struct {
	secrets  leak.Secrets
	commands *leak.Record
	objects  *leak.Record
	logs     leak.Files
	operator string
	// canary is an argument that a process had: commands must have it.
	canary string
	bed    bool
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

// recorded are the kinds whose every version is kept. Those that users write keep
// their spec to themselves, see recordable.
var recorded = []schema.GroupVersionResource{
	{Group: "upm.syntropycloud.io", Version: "v1alpha1", Resource: "grpccalls"},
	{Group: "upm.syntropycloud.io", Version: "v1alpha2", Resource: "units"},
	{Group: "upm.syntropycloud.io", Version: "v1alpha2", Resource: "unitsets"},
	{Group: "apps", Version: "v1", Resource: "controllerrevisions"},
	{Version: "v1", Resource: "configmaps"},
	{Version: "v1", Resource: "events"},
	{Version: "v1", Resource: "persistentvolumeclaims"},
	{Version: "v1", Resource: "pods"},
	{Version: "v1", Resource: "services"},
}

// startWitness before anything is done to the cluster. Processes and logs are seen on
// the test bed only, whose nodes are namespaces of this machine.
func (e *environment) startWitness() error {
	w := &witness{operator: e.operatorLog(), canary: fmt.Sprintf("canary-of-%d", os.Getpid()), bed: e.bed != ""}
	var err error
	if w.commands, err = leak.NewRecord(filepath.Join(e.logs, "commands")); err != nil {
		return err
	}
	if w.objects, err = leak.NewRecord(filepath.Join(e.logs, "objects")); err != nil {
		return err
	}
	w.secrets.AddWord("the password that the documentation shows", documentedPassword)
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	if err := w.watchObjects(ctx, e); err != nil {
		cancel()
		return err
	}
	if w.bed {
		processes := &leak.Processes{Record: w.commands, Parent: func(argv []string) bool { return filepath.Base(argv[0]) == "unit-agent" }}
		w.ended.Go(func() { processes.Run(ctx, 20*time.Millisecond) })
		w.logs.Patterns = []string{filepath.Join(filepath.Dir(e.kubeconfig), "*", "podlogs", "*", "*", "*.log")}
		w.ended.Go(func() { w.logs.Run(ctx, 200*time.Millisecond) })
	}
	e.witness = w
	return nil
}

func (w *witness) watchObjects(ctx context.Context, e *environment) error {
	client, err := dynamic.NewForConfig(e.config)
	if err != nil {
		return err
	}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	watch := func(resource schema.GroupVersionResource, see func(*unstructured.Unstructured)) error {
		informer := factory.ForResource(resource).Informer()
		if err := informer.SetTransform(recordable); err != nil {
			return err
		}
		added := func(o any) { see(o.(*unstructured.Unstructured)) }
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: added, UpdateFunc: func(_, o any) { added(o) }})
		return err
	}
	for _, resource := range recorded {
		if err := watch(resource, w.object); err != nil {
			return err
		}
	}
	if err := watch(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, w.secret); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	for resource, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("%s cannot be watched", resource)
		}
	}
	return nil
}

// recordable is an object without what is its user's own: what kubectl apply keeps of
// the file, and the parameters of a call.
func recordable(o any) (any, error) {
	object, ok := o.(*unstructured.Unstructured)
	if !ok {
		return o, nil
	}
	object.SetManagedFields(nil)
	unstructured.RemoveNestedField(object.Object, "metadata", "annotations", corev1.LastAppliedConfigAnnotation)
	if object.GetKind() == "GrpcCall" {
		unstructured.RemoveNestedField(object.Object, "spec")
	}
	return object, nil
}

func (w *witness) object(o *unstructured.Unstructured) {
	// What came from JSON goes back to it.
	raw, err := json.Marshal(o.Object)
	if err != nil {
		panic(err)
	}
	w.objects.Add(string(raw))
}

// open are keys of Secrets whose values are none. The name of an account is logged by every
// server that somebody logs in to.
var open = []string{"endpoint", "region", "pathStyle", corev1.BasicAuthUsernameKey}

func (w *witness) secret(o *unstructured.Unstructured) {
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	for key, encoded := range data {
		value, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || slices.Contains(open, key) {
			continue
		}
		if string(value) == documentedPassword {
			continue // is looked for as a word
		}
		w.secrets.Add(fmt.Sprintf("%s of Secret %s/%s", key, o.GetNamespace(), o.GetName()), value)
	}
}

// verdict searches all that was recorded so far, and says how much that is.
func (w *witness) verdict(ctx context.Context) (string, error) {
	if w.bed {
		if err := w.showCanary(ctx); err != nil {
			return "", err
		}
	}
	var told []string
	for what, search := range map[string]func(*leak.Secrets) ([]string, error){
		"command lines": w.commands.Search, "objects": w.objects.Search, "logs": w.logs.Search, "the operator's log": w.searchOperator,
	} {
		found, err := search(&w.secrets)
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		for _, sentence := range found {
			told = append(told, what+": "+sentence)
		}
	}
	extent := fmt.Sprintf("%d secrets were looked for in %d command lines and environments, %d versions of objects, the logs of %d containers and the operator's (too short: %s)",
		w.secrets.Len(), w.commands.Len(), w.objects.Len(), w.logs.Len(), strings.Join(w.secrets.Short(), ", "))
	if len(told) > 0 {
		return extent, errors.New(strings.Join(told, "\n"))
	}
	if w.secrets.Len() < 2 || w.objects.Len() == 0 || w.bed && w.logs.Len() == 0 {
		return extent, fmt.Errorf("there was nothing to look for, or nothing to look at: %s", extent)
	}
	return extent, nil
}

// showCanary proves that command lines are seen.
func (w *witness) showCanary(ctx context.Context) error {
	var canary leak.Secrets
	canary.Add("the canary", []byte(w.canary))
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if err := exec.CommandContext(ctx, "sh", "-c", "sleep 0.2", w.canary).Run(); err != nil {
			return err
		}
		if found, err := w.commands.Search(&canary); err != nil || len(found) > 0 {
			return err
		}
	}
	return errors.New("the command line of a process of 200 ms was not seen")
}

func (w *witness) searchOperator(s *leak.Secrets) ([]string, error) {
	log, err := os.Open(w.operator)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	return s.Search(log)
}

func (w *witness) close() {
	w.stop()
	w.ended.Wait()
}

// tellsNoSecret is the verdict on all that was done so far.
func (e *environment) tellsNoSecret(t *testing.T) {
	t.Helper()
	extent, err := e.witness.verdict(t.Context())
	if err != nil {
		t.Error(err)
	}
	t.Log(extent)
}

// TestTheWitnessSeesSecretsButNotTheUsersOwn is about what is kept of an object.
func TestTheWitnessSeesSecretsButNotTheUsersOwn(t *testing.T) {
	call := func() *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"kind":     "GrpcCall",
			"metadata": map[string]any{"name": "x", "annotations": map[string]any{corev1.LastAppliedConfigAnnotation: "the user's secret"}},
			"spec":     map[string]any{"parameters": "the user's secret"},
		}}
	}
	for _, tc := range []struct {
		name   string
		change func(*unstructured.Unstructured)
		want   int
	}{
		{"the user's own", func(*unstructured.Unstructured) {}, 0},
		{"in a status", func(o *unstructured.Unstructured) {
			o.Object["status"] = map[string]any{"message": "login with the user's secret failed"}
		}, 1},
		{"in a spec that is not the user's", func(o *unstructured.Unstructured) { o.SetKind("Pod") }, 1},
		{"in another annotation", func(o *unstructured.Unstructured) { o.SetAnnotations(map[string]string{"a": "the user's secret"}) }, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := &witness{}
			var err error
			if w.objects, err = leak.NewRecord(filepath.Join(t.TempDir(), "objects")); err != nil {
				t.Fatal(err)
			}
			w.secret(&unstructured.Unstructured{Object: map[string]any{"data": map[string]any{
				"password": base64.StdEncoding.EncodeToString([]byte("the user's secret")), "region": base64.StdEncoding.EncodeToString([]byte("eu-central-1")),
			}}})
			if w.secrets.Len() != 1 {
				t.Errorf("%d secrets, want 1", w.secrets.Len())
			}
			o := call()
			tc.change(o)
			kept, err := recordable(o)
			if err != nil {
				t.Fatal(err)
			}
			w.object(kept.(*unstructured.Unstructured))
			found, err := w.objects.Search(&w.secrets)
			if err != nil || len(found) != tc.want {
				t.Errorf("found %q (%v), want %d", found, err, tc.want)
			}
		})
	}
}
