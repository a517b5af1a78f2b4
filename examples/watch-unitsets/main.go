// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command watch-unitsets creates a UnitSet and waits until all its units are
// ready. It shows how a program of yours uses the generated client of
// unit-operator: a clientset to write, an informer to watch, a lister to read.
//
// It is a module of its own, as yours is. The only line of its go.mod that yours
// does not need is the replace.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/generated/clientset/versioned"
	"github.com/upmio/unit-operator/pkg/generated/informers/externalversions"
	upminformers "github.com/upmio/unit-operator/pkg/generated/informers/externalversions/upm/v1alpha2"
)

const help = `watch-unitsets creates a UnitSet and waits until all its units are ready.

  watch-unitsets --name orders --type mysql --version 8.4.6 --units 3

It prints a line whenever the set's status changes and ends with 0 once every
unit is ready. It ends with 1 if the set is deleted, the time is over or it is
interrupted, and leaves the set where it is: kubectl delete unitset NAME
removes it.

A set of that name which exists already is watched as it is.

Flags:
`

type settings struct {
	kubeconfig, namespace, name, unitType, version, size string
	units                                                int
	timeout                                              time.Duration
}

func main() {
	var s settings
	flags := flag.NewFlagSet("watch-unitsets", flag.ExitOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), help)
		flags.PrintDefaults()
	}
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "path of a kubeconfig; default: $KUBECONFIG, then ~/.kube/config, then the pod's own account")
	flags.StringVar(&s.namespace, "namespace", "", "namespace of the set; default: that of the kubeconfig")
	flags.StringVar(&s.name, "name", "orders", "name of the set")
	flags.StringVar(&s.unitType, "type", "mysql", "mysql, postgresql or proxysql")
	flags.StringVar(&s.version, "version", "8.4.6", "version of the engine, which is the tag of its image")
	flags.StringVar(&s.size, "size", "1Gi", "size of each unit's volume")
	flags.IntVar(&s.units, "units", 1, "how many units")
	flags.DurationVar(&s.timeout, "timeout", 10*time.Minute, "how long to wait")
	_ = flags.Parse(os.Args[1:]) // ExitOnError: --help ends with 0, a mistake with 2.
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "watch-unitsets: unknown argument %q; see --help\n", flags.Arg(0))
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "watch-unitsets:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, out io.Writer) error {
	// What kubectl does to find a cluster.
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = s.kubeconfig
	clientConfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{})
	config, err := clientConfig.ClientConfig()
	if err != nil {
		return err
	}
	if s.namespace == "" {
		if s.namespace, _, err = clientConfig.Namespace(); err != nil {
			return err
		}
	}
	client, err := versioned.NewForConfig(config)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("not ready within %s", s.timeout))
	defer cancel()
	if err := create(ctx, client, s, out); err != nil {
		return err
	}
	return wait(ctx, client, s, out)
}

// create makes the set. One that exists is no error: a program that is run again
// shall come to the same end.
func create(ctx context.Context, client versioned.Interface, s settings, out io.Writer) error {
	set := &v1alpha2.UnitSet{
		ObjectMeta: metav1.ObjectMeta{Name: s.name, Namespace: s.namespace},
		Spec: v1alpha2.UnitSetSpec{
			Type:    v1alpha2.UnitType(s.unitType),
			Version: s.version,
			// A pointer, because 0 units is a wish too and must be sent.
			Units: new(int32(s.units)),
			// Accounts come from a Secret: spec.secret, and ADM_USER in spec.env. The
			// files of artifacts/samples show whole sets.
			Storages: []v1alpha2.StorageSpec{{Name: "data", MountPath: "/DATA_MOUNT", Size: s.size}},
		},
	}
	// The field manager is who the API server says changed what; name your program.
	_, err := client.UpmV1alpha2().UnitSets(s.namespace).Create(ctx, set, metav1.CreateOptions{FieldManager: "watch-unitsets"})
	switch {
	case apierrors.IsAlreadyExists(err):
		fmt.Fprintf(out, "%s/%s exists\n", s.namespace, s.name)
	case err != nil:
		// Whatever is wrong with the set is in this error, in a sentence: the API
		// server refuses it before anything is made.
		return fmt.Errorf("creating the set: %w", err)
	default:
		fmt.Fprintf(out, "%s/%s created\n", s.namespace, s.name)
	}
	return nil
}

// wait returns once every unit of the set is ready.
func wait(ctx context.Context, client versioned.Interface, s settings, out io.Writer) error {
	// An informer keeps a copy of the objects it selects, here of one, and brings
	// it up to date after whatever happens to the connection.
	factory := externalversions.NewSharedInformerFactoryWithOptions(client, 0,
		externalversions.WithNamespace(s.namespace),
		externalversions.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", s.name).String()
		}))
	informer := factory.Upm().V1alpha2().UnitSets()

	// Events only wake the loop below; what is true is read from the lister. So it
	// does not matter which events were missed, or came twice.
	changed := make(chan struct{}, 1)
	wake := func() {
		select {
		case changed <- struct{}{}:
		default: // It is awake already.
		}
	}
	if _, err := informer.TypedInformer().AddTypedEventHandler(upminformers.UnitSetHandlerFuncs{
		AddFunc:    func(*v1alpha2.UnitSet) { wake() },
		UpdateFunc: func(_, _ *v1alpha2.UnitSet) { wake() },
		DeleteFunc: func(upminformers.DeletedUnitSet) { wake() },
	}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer factory.Shutdown() // Waits for the informer, so cancel comes first.
	defer cancel()
	factory.StartWithContext(ctx)

	seen, last := false, ""
	for {
		select {
		case <-ctx.Done():
			err := context.Cause(ctx)
			if errors.Is(err, context.Canceled) {
				err = errors.New("interrupted")
			}
			return fmt.Errorf("%w; the last that was seen: %s", err, last)
		case <-changed:
		}
		set, err := informer.Lister().UnitSets(s.namespace).Get(s.name)
		switch {
		case apierrors.IsNotFound(err) && seen:
			return errors.New("the set was deleted")
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return err
		}
		seen = true
		// What the lister returns is shared: read it, never change it.
		if line := describe(set); line != last {
			fmt.Fprintln(out, line)
			last = line
		}
		if ready(set) {
			return nil
		}
	}
}

// ready says whether all wanted units are ready. The generation tells whether the
// status speaks of the spec as it is now, or of one before.
func ready(set *v1alpha2.UnitSet) bool {
	return set.Status.ObservedGeneration >= set.Generation && set.Status.ReadyUnits >= *set.Spec.Units
}

// describe is the set's state in a line. The condition Ready says what is waited
// for.
func describe(set *v1alpha2.UnitSet) string {
	line := fmt.Sprintf("%d of %d units ready", set.Status.ReadyUnits, *set.Spec.Units)
	if c := meta.FindStatusCondition(set.Status.Conditions, "Ready"); c != nil && c.Status != metav1.ConditionTrue {
		line += fmt.Sprintf(" (%s: %s)", c.Reason, c.Message)
	}
	return line
}
