// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/upmio/unit-operator/test/apiproxy"
)

// elsewhere are grants whose use these tests cannot show, each with why.
var elsewhere = map[apiproxy.Call]string{
	{Verb: "create", Resource: "pods/portforward"}:                        "agents are dialled on real nodes only (test/e2e)",
	{Verb: "get", Resource: "pods/portforward"}:                           "agents are dialled on real nodes only (test/e2e)",
	{Verb: "get", Resource: "nodes"}:                                      "a member's pod that is being deleted on a node that the cache does not show, or out of service (pkg/controller/unit)",
	{Verb: "get", Resource: "persistentvolumeclaims"}:                     "a claim that a cache did not show yet (pkg/controller/unit)",
	{Verb: "update", Resource: "secrets"}:                                 "a certificate or a CA that is renewed (pkg/controller/unit, pkg/agenttls)",
	{Verb: "patch", Resource: "secrets"}:                                  "labels of a certificate's Secret (pkg/controller/unit)",
	{Verb: "update", Group: "upm.syntropycloud.io", Resource: "units"}:    "a Unit of a set that somebody edited (pkg/controller/unitset)",
	{Verb: "patch", Group: "upm.syntropycloud.io", Resource: "grpccalls"}: "the finalizer of a call that an agent is given (pkg/controller/grpccall, test/e2e)",
	{Verb: "get", Group: "apps", Resource: "controllerrevisions"}:         "the revision of a Unit, by an operator that came after it (pkg/controller/revision)",
	{Verb: "patch", Group: "apps", Resource: "controllerrevisions"}:       "a spec that goes back to an older revision (pkg/controller/unitset)",
	{Verb: "delete", Group: "apps", Resource: "controllerrevisions"}:      "a history longer than its limit (pkg/controller/unitset)",
}

// rbacGrantsWhatTheCodeCallsAndNothingElse returns what the operator's service account may
// do and no test made it do, and the reverse. It is asked when all tests of this package
// have run.
func rbacGrantsWhatTheCodeCallsAndNothingElse() error {
	everyCall.Lock()
	called := everyCall.set.Clone()
	everyCall.Unlock()
	var problems []string
	granted := sets.New[apiproxy.Call]()
	files, err := filepath.Glob(filepath.Join(root, "artifacts", "rbac", "*.yaml"))
	if err != nil {
		return err
	}
	for _, f := range files {
		objs, err := readObjects(f)
		if err != nil {
			return err
		}
		for _, o := range objs {
			if o.GetKind() != "ClusterRole" && o.GetKind() != "Role" {
				continue
			}
			var role rbacv1.ClusterRole
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &role); err != nil {
				return err
			}
			for _, r := range role.Rules {
				for _, g := range r.APIGroups {
					for _, res := range r.Resources {
						for _, v := range r.Verbs {
							if v == "*" || res == "*" || g == "*" {
								problems = append(problems, fmt.Sprintf("%s grants a wildcard: %+v", role.Name, r))
							}
							granted.Insert(apiproxy.Call{Verb: v, Group: g, Resource: res})
						}
					}
				}
			}
		}
	}
	for c := range called.Clone() {
		switch c.Verb {
		case "watch":
			// An informer lists where the API server does not stream lists.
			called.Insert(apiproxy.Call{Verb: "list", Group: c.Group, Resource: c.Resource})
		case "apply":
			// What is absent is authorised as a create, too.
			called.Delete(c)
			called.Insert(apiproxy.Call{Verb: "patch", Group: c.Group, Resource: c.Resource}, apiproxy.Call{Verb: "create", Group: c.Group, Resource: c.Resource})
		}
	}
	unused := granted.Difference(called)
	for c := range unused {
		if _, ok := elsewhere[c]; ok || c.Resource == "leases" {
			unused.Delete(c)
		}
	}
	report := func(what string, s sets.Set[apiproxy.Call]) {
		for c := range s {
			problems = append(problems, what+": "+c.Verb+" "+c.Resource+"."+c.Group)
		}
	}
	report("called, not granted", called.Difference(granted))
	report("granted, never called", unused)
	if len(problems) == 0 {
		return nil
	}
	slices.Sort(problems)
	return errors.New(strings.Join(problems, "\n"))
}
