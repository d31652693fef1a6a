{{/* The name of everything: the release's, with the chart's where it does not say it already. */}}
{{- define "cluster-ui.name" -}}
{{- if .Values.nameOverride }}{{ .Values.nameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains "cluster-ui" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-cluster-ui" .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "cluster-ui.labels" -}}
app.kubernetes.io/name: {{ include "cluster-ui.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* One metadata for every object; a cluster-wide one has no namespace. */}}
{{- define "cluster-ui.metadata" -}}
name: {{ include "cluster-ui.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "cluster-ui.labels" . | nindent 2 }}
{{- end }}

{{- define "cluster-ui.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Whether several pods may run: what one pod keeps for itself is elsewhere then. */}}
{{- define "cluster-ui.several" -}}
{{- if or (gt (int .Values.replicas) 1) .Values.autoscaling.enabled }}true{{ end }}
{{- end }}

{{/* Settings that follow from other values. */}}
{{- define "cluster-ui.made" -}}
{{- $made := dict }}
{{- $given := .Values.settings }}
{{- if ne .Values.actAs "installation" }}{{ $_ := set $made "CLUSTER_UI_ACT_AS" .Values.actAs }}{{ end }}
{{- if .Values.ingress.enabled }}
{{- $_ := set $made "CLUSTER_UI_HOSTS" (list .Values.ingress.host (get $given "CLUSTER_UI_HOSTS") | compact | join ",") }}
{{- $proxies := list .Values.ingress.trustedProxies (get $given "CLUSTER_UI_TRUSTED_PROXIES") | compact | join "," }}
{{- $_ := set $made "CLUSTER_UI_TRUSTED_PROXIES" $proxies }}
{{- if include "cluster-ui.https" . }}{{ $_ := set $made "CLUSTER_UI_HTTPS" "1" }}{{ end }}
{{- end }}
{{- if .Values.metrics.secretName }}
{{- $_ := set $made "CLUSTER_UI_METRICS_TOKEN_FILE" (printf "/metrics-token/%s" .Values.metrics.key) }}
{{- end }}
{{- if .Values.oidc.secretName }}
{{- $_ := set $made "CLUSTER_UI_OIDC_CLIENT_SECRET_FILE" (printf "/oidc-client/%s" .Values.oidc.key) }}
{{- end }}
{{- if .Values.authorities.configMapName }}
{{- $_ := set $made "SSL_CERT_FILE" (printf "/authorities/%s" .Values.authorities.key) }}
{{- end }}
{{- /* The cluster itself, whose address the kubelet puts in, is not behind a proxy. */}}
{{- range list "HTTPS_PROXY" "HTTP_PROXY" "NO_PROXY" }}
{{- if hasKey $given . }}
{{- $direct := list "$(KUBERNETES_SERVICE_HOST)" ".svc" ".cluster.local" (get $given "NO_PROXY") | compact | join "," }}
{{- $_ := set $made "NO_PROXY" $direct }}
{{- end }}
{{- end }}
{{- toYaml $made }}
{{- end }}

{{/* Whether browsers come to the ingress by TLS. */}}
{{- define "cluster-ui.https" -}}
{{- if and .Values.ingress.enabled (or .Values.ingress.tlsSecretName .Values.ingress.https) }}true{{ end }}
{{- end }}

{{/* Settings of the dashboard, for the container that migrates and the one that serves. */}}
{{- define "cluster-ui.environment" -}}
envFrom:
  - secretRef:
      name: {{ .Values.settingsSecret }}
      optional: true
{{- $env := list }}
{{- range $name, $value := mergeOverwrite (deepCopy .Values.settings) (include "cluster-ui.made" . | fromYaml) }}
{{- $env = append $env (dict "name" $name "value" $value) }}
{{- end }}
{{- range $name, $from := dict "DATABASE_URL" .Values.database "REDIS_URL" .Values.redis "CLUSTER_UI_SECRET_KEY" .Values.secretKey }}
{{- if $from.secretName }}
{{- $ref := dict "name" $from.secretName "key" $from.key }}
{{- $env = append $env (dict "name" $name "valueFrom" (dict "secretKeyRef" $ref)) }}
{{- end }}
{{- end }}
{{- with $env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Ports that it connects to: the usual ones, and those of addresses in the settings. */}}
{{- define "cluster-ui.ports" -}}
{{- $ports := list 443 6443 8443 16443 5432 6379 9090 }}
{{- range $address := regexFindAll "https?://[^/,? ]+" (omit .Values.settings "CLUSTER_UI_ORIGINS" | values | join " ") -1 }}
{{- $port := regexFind ":[0-9]+$" $address | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https" $address)) }}
{{- $ports = append $ports (int $port) }}
{{- end }}
{{- range .Values.networkPolicy.extraPorts }}{{ $ports = append $ports (int .) }}{{ end }}
{{- toJson (uniq $ports) }}
{{- end }}

{{- define "cluster-ui.hardened" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: data
    mountPath: /data
  - name: tmp
    mountPath: /tmp
{{- if .Values.metrics.secretName }}
  - name: metrics-token
    mountPath: /metrics-token
    readOnly: true
{{- end }}
{{- if .Values.oidc.secretName }}
  - name: oidc-client
    mountPath: /oidc-client
    readOnly: true
{{- end }}
{{- if .Values.authorities.configMapName }}
  - name: authorities
    mountPath: /authorities
    readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Objects of a file of deploy/, with this release's name and namespace; those whose name is in `without` are left out. */}}
{{- define "cluster-ui.objects" -}}
{{- $name := include "cluster-ui.name" .root }}
{{- $labels := include "cluster-ui.labels" .root | fromYaml }}
{{- range $text := regexSplit "(?m)^---\\s*$" (.root.Files.Get .file) -1 }}
{{- $object := fromYaml $text }}
{{- if and $object (not (has $object.metadata.name $.without)) }}
{{- $_ := set $object.metadata "name" ($object.metadata.name | replace "cluster-ui" $name) }}
{{- $_ := set $object.metadata "labels" $labels }}
{{- if $object.metadata.namespace }}{{ $_ := set $object.metadata "namespace" $.root.Release.Namespace }}{{ end }}
{{- if $object.roleRef }}{{ $_ := set $object.roleRef "name" ($object.roleRef.name | replace "cluster-ui" $name) }}{{ end }}
{{- range $subject := $object.subjects }}
{{- $_ := set $subject "name" $name }}
{{- $_ := set $subject "namespace" $.root.Release.Namespace }}
{{- end }}
{{- if eq $object.kind "ServiceAccount" }}
{{- with $.root.Values.serviceAccount.annotations }}{{ $_ := set $object.metadata "annotations" . }}{{ end }}
{{- end }}
{{- if hasSuffix "-impersonate" $object.metadata.name }}
{{- with $.impersonate }}{{ if $object.rules }}{{ $_ := set $object "rules" . }}{{ end }}{{ end }}
{{- end }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}
