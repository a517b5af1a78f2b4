{{/*
The chart installs the files of artifacts, which are links in files: nothing is written
twice. These helpers fit their objects to the release.
*/}}

{{/* image of a program: (list $ "operator") */}}
{{- define "unit-operator.image" -}}
{{- $root := index . 0 }}{{ $name := index . 1 -}}
{{- $images := $root.Values.images -}}
{{- $digest := (index $images $name).digest -}}
{{ $images.registry }}/unit-{{ $name }}{{ if $digest }}@{{ $digest }}{{ else }}:{{ $images.tag | default $root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* fit sets the labels of a release on an object, and its namespace: (list $ object) */}}
{{- define "unit-operator.fit" -}}
{{- $root := index . 0 }}{{ $object := index . 1 -}}
{{- $metadata := $object.metadata -}}
{{- $labels := $metadata.labels | default dict -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $labels "app.kubernetes.io/instance" $root.Release.Name -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name ($root.Chart.Version | replace "+" "_")) -}}
{{- $_ := set $metadata "labels" $labels -}}
{{- if $metadata.namespace }}{{ $_ := set $metadata "namespace" $root.Release.Namespace }}{{ end -}}
{{- range $object.subjects }}{{ $_ := set . "namespace" $root.Release.Namespace }}{{ end -}}
{{- end }}

{{/* print fits every object of a file and prints it: (list $ path) */}}
{{- define "unit-operator.print" -}}
{{- $root := index . 0 -}}
{{- range $document := regexSplit "(?m)^---\n" ($root.Files.Get (index . 1)) -1 }}
{{- $object := fromYaml $document }}
{{- if and $object (ne $object.kind "Namespace") }}
{{- include "unit-operator.fit" (list $root $object) }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}

{{/* keep prints every object of a file so that it stays when the release goes: (list $ path) */}}
{{- define "unit-operator.keep" -}}
{{- $root := index . 0 -}}
{{- range $document := regexSplit "(?m)^---\n" ($root.Files.Get (index . 1)) -1 }}
{{- $object := fromYaml $document }}
{{- if $object }}
{{- include "unit-operator.fit" (list $root $object) }}
{{- $annotations := $object.metadata.annotations | default dict }}
{{- $_ := set $annotations "helm.sh/resource-policy" "keep" }}
{{- $_ := set $object.metadata "annotations" $annotations }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}

{{/* mirrored is an image with its registry replaced: (list $ image) */}}
{{- define "unit-operator.mirrored" -}}
{{- $root := index . 0 }}{{ $image := index . 1 -}}
{{- $parts := splitList "/" $image -}}
{{- $registry := "docker.io" }}{{ $path := $image -}}
{{- if and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) -}}
{{- $registry = first $parts }}{{ $path = rest $parts | join "/" -}}
{{- else if eq (len $parts) 1 -}}
{{- $path = printf "library/%s" $image -}}
{{- end -}}
{{- $mirror := index $root.Values.registries $registry -}}
{{- if $mirror }}{{ trimSuffix "/" $mirror }}/{{ $path }}{{ else }}{{ $image }}{{ end -}}
{{- end }}
