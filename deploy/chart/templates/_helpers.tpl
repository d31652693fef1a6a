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

{{/* What the schema cannot say of values that need each other. */}}
{{- define "cluster-ui.check" -}}
{{- if and (include "cluster-ui.several" .) (not .Values.database.secretName) }}
{{- fail "Several replicas need PostgreSQL: name the Secret with its address in database.secretName." }}
{{- end }}
{{- if and (include "cluster-ui.several" .) (not .Values.redis.secretName) }}
{{- fail "Several replicas share the limits on sign-ins in Redis: name the Secret with its address in redis.secretName." }}
{{- end }}
{{- if and .Values.database.secretName (not .Values.secretKey.secretName) }}
{{- fail "With PostgreSQL no pod has a volume to keep the secret key on: name the Secret that holds it in secretKey.secretName." }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.host) }}
{{- fail "The dashboard answers to names that it knows: set ingress.host." }}
{{- end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.trustedProxies) }}
{{- fail "Behind an ingress everybody has the controller's address: set ingress.trustedProxies to the network of its pods." }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.secretName) }}
{{- fail "/metrics answers others with a token only: name the Secret that holds it in metrics.secretName." }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas." }}
{{- end }}
{{- if hasKey .Values.podLabels "app.kubernetes.io/name" }}
{{- fail "The Service and the Deployment find their pods by app.kubernetes.io/name: leave it out of podLabels." }}
{{- end }}
{{- end }}

{{/* Settings of the dashboard, for the container that migrates and the one that serves. */}}
{{- define "cluster-ui.environment" -}}
envFrom:
  - secretRef:
      name: {{ .Values.settingsSecret }}
      optional: true
{{- $env := list }}
{{- $settings := dict }}
{{- if ne .Values.actAs "installation" }}{{ $_ := set $settings "CLUSTER_UI_ACT_AS" .Values.actAs }}{{ end }}
{{- if .Values.ingress.enabled }}
{{- $_ := set $settings "CLUSTER_UI_HOSTS" .Values.ingress.host }}
{{- $_ := set $settings "CLUSTER_UI_TRUSTED_PROXIES" .Values.ingress.trustedProxies }}
{{- if .Values.ingress.tlsSecretName }}{{ $_ := set $settings "CLUSTER_UI_HTTPS" "1" }}{{ end }}
{{- end }}
{{- if .Values.metrics.secretName }}
{{- $_ := set $settings "CLUSTER_UI_METRICS_TOKEN_FILE" (printf "/metrics-token/%s" .Values.metrics.key) }}
{{- end }}
{{- range $name, $value := merge (deepCopy .Values.settings) $settings }}
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
