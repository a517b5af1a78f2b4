// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/configtemplate"
)

// read makes a Package of a PodTemplate and its ConfigMaps.
func read(lister Lister, podTemplate *corev1.PodTemplate, request Request) (*Package, error) {
	broken := func(err error) error {
		return &BrokenError{Kind: "PodTemplate", Name: podTemplate.Name, Err: err}
	}
	if t := podTemplate.Labels[v1alpha2.LabelType]; t != string(request.Type) {
		return nil, broken(fmt.Errorf("its label %s is %q and must be %q", v1alpha2.LabelType, t, request.Type))
	}
	files, err := readFiles(lister, podTemplate.Name, request.Type)
	if err != nil {
		return nil, err
	}
	values, err := readValues(lister, podTemplate.Name, request.Type)
	if err != nil {
		return nil, err
	}
	container := databaseContainer(&podTemplate.Template.Spec, request.Type)
	if container == nil {
		return nil, broken(fmt.Errorf("no container is named %s", request.Type))
	}
	if err := checkImage(container.Image, podTemplate.Name, request); err != nil {
		return nil, broken(err)
	}
	revision, err := hash(podTemplate.Template, files, values)
	if err != nil {
		return nil, broken(err)
	}
	template := *podTemplate.Template.DeepCopy()
	fillVersion(&template.Spec, request.Version)
	return &Package{
		Name:        podTemplate.Name,
		Revision:    revision,
		Template:    template,
		ConfigFiles: files,
		Values:      values,
		Ports:       databaseContainer(&template.Spec, request.Type).Ports,
	}, nil
}

// configMap of a package, or an error that names it.
func configMap(lister Lister, name string) (*corev1.ConfigMap, error) {
	cm, err := lister.ConfigMap(name)
	if apierrors.IsNotFound(err) {
		return nil, &BrokenError{Kind: "ConfigMap", Name: name, Err: errors.New("it does not exist, or lacks the label " + LabelSelector)}
	}
	return cm, err
}

func readFiles(lister Lister, name string, unitType v1alpha2.UnitType) (map[string]string, error) {
	cm, err := configMap(lister, name+TemplateSuffix)
	if err != nil {
		return nil, err
	}
	if err := configtemplate.Check(string(unitType), cm.Data); err != nil {
		return nil, &BrokenError{Kind: "ConfigMap", Name: cm.Name, Err: err}
	}
	return maps.Clone(cm.Data), nil
}

func readValues(lister Lister, name string, unitType v1alpha2.UnitType) (map[string]any, error) {
	cm, err := configMap(lister, name+ValueSuffix)
	if err != nil {
		return nil, err
	}
	text, ok := cm.Data[string(unitType)]
	if !ok {
		return nil, &BrokenError{Kind: "ConfigMap", Name: cm.Name, Key: string(unitType), Err: errors.New("the key is missing")}
	}
	values, err := configtemplate.ParseValues(text)
	if err != nil {
		return nil, &BrokenError{Kind: "ConfigMap", Name: cm.Name, Key: string(unitType), Err: err}
	}
	return values, nil
}

// databaseContainer is the container named like the type, nil without one.
func databaseContainer(spec *corev1.PodSpec, unitType v1alpha2.UnitType) *corev1.Container {
	for i := range spec.Containers {
		if spec.Containers[i].Name == string(unitType) {
			return &spec.Containers[i]
		}
	}
	return nil
}
