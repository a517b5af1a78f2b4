// Copyright 2026 The unit-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package unitset

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/upmio/unit-operator/pkg/apis/upm/v1alpha2"
	"github.com/upmio/unit-operator/pkg/controller/unit/podspec"
)

// metricsPortName is the name of the agent's port for metrics in every pod.
const metricsPortName = "metrics"

// sharedPort is one port as people write it in a shared ConfigMap: the number may
// be a string.
type sharedPort struct {
	Name          string             `json:"name"`
	ContainerPort intstr.IntOrString `json:"containerPort"`
	Protocol      corev1.Protocol    `json:"protocol"`
}

// portsKey of a shared ConfigMap.
func portsKey(unitType v1alpha2.UnitType) string { return string(unitType) + "_ports" }

// sharedPorts reads the ports of a type from a shared ConfigMap. Without the key,
// or with an empty list, there are none: the package's ports are used. The error
// names what is wrong.
func sharedPorts(unitType v1alpha2.UnitType, data map[string]string) ([]corev1.ContainerPort, error) {
	text := strings.TrimSpace(data[portsKey(unitType)])
	if text == "" {
		return nil, nil
	}
	var raw []sharedPort
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf(`key %s is not a JSON list of ports such as [{"name": %q, "containerPort": 3306, "protocol": "TCP"}]: %w`,
			portsKey(unitType), unitType, err)
	}
	var ports []corev1.ContainerPort
	for i, p := range raw {
		port, err := p.containerPort()
		if err == nil {
			err = checkPort(port, ports)
		}
		if err != nil {
			return nil, fmt.Errorf("key %s, entry %d: %w", portsKey(unitType), i, err)
		}
		ports = append(ports, port)
	}
	return ports, nil
}

func (p sharedPort) containerPort() (corev1.ContainerPort, error) {
	port := corev1.ContainerPort{Name: p.Name, Protocol: p.Protocol}
	if problems := validation.IsValidPortName(p.Name); len(problems) > 0 {
		return port, fmt.Errorf("name %q: %s", p.Name, strings.Join(problems, "; "))
	}
	number, err := strconv.Atoi(strings.TrimSpace(p.ContainerPort.String()))
	if err != nil || number < 1 || number > 65535 {
		return port, fmt.Errorf("containerPort %q of %s is not a number from 1 to 65535", p.ContainerPort.String(), p.Name)
	}
	port.ContainerPort = int32(number)
	switch corev1.Protocol(strings.ToUpper(string(p.Protocol))) {
	case "", corev1.ProtocolTCP:
		port.Protocol = corev1.ProtocolTCP
	case corev1.ProtocolUDP:
		port.Protocol = corev1.ProtocolUDP
	default:
		return port, fmt.Errorf("protocol %q of %s is neither TCP nor UDP", p.Protocol, p.Name)
	}
	return port, nil
}

// checkPort against the ports before it and those of the agent.
func checkPort(port corev1.ContainerPort, before []corev1.ContainerPort) error {
	if port.Name == metricsPortName {
		return errors.New("the name metrics belongs to the agent's port")
	}
	if slices.Contains([]int32{podspec.MetricsPort, podspec.AgentPort, podspec.ProbePort}, port.ContainerPort) {
		return fmt.Errorf("containerPort %d of %s belongs to the agent", port.ContainerPort, port.Name)
	}
	for _, other := range before {
		if other.Name == port.Name {
			return fmt.Errorf("name %s appears twice", port.Name)
		}
		if other.ContainerPort == port.ContainerPort && other.Protocol == port.Protocol {
			return fmt.Errorf("containerPort %d of %s is that of %s", port.ContainerPort, port.Name, other.Name)
		}
	}
	return nil
}

// internalPorts are for people who run the database, not for its clients.
var internalPorts = []string{"admin", "mgr", metricsPortName}

// clientPorts leaves out the ports that the set's Service does not publish. The
// SQL port is always in.
func clientPorts(unitType v1alpha2.UnitType, ports []corev1.ContainerPort) []corev1.ContainerPort {
	var out []corev1.ContainerPort
	sql := sqlPortIndex(unitType, ports)
	for i, port := range ports {
		internal := slices.ContainsFunc(internalPorts, func(name string) bool {
			return port.Name == name || strings.HasSuffix(port.Name, "-"+name)
		})
		if i == sql || !internal {
			out = append(out, port)
		}
	}
	return out
}

// sqlPortIndex is the port named like the type, else the first.
func sqlPortIndex(unitType v1alpha2.UnitType, ports []corev1.ContainerPort) int {
	if i := slices.IndexFunc(ports, func(p corev1.ContainerPort) bool { return p.Name == string(unitType) }); i >= 0 {
		return i
	}
	return 0
}
