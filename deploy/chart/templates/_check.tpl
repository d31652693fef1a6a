{{/*
Refuses values that cannot be, each with the way out: what the schema, which knows types and names, cannot say, or only as a
pattern. What could be a secret in the wrong place is not repeated.
*/}}
{{- define "cluster-ui.check" -}}
{{- include "cluster-ui.check.names" . }}
{{- include "cluster-ui.check.image" . }}
{{- include "cluster-ui.check.settings" . }}
{{- include "cluster-ui.check.rights" . }}
{{- include "cluster-ui.check.signIn" . }}
{{- include "cluster-ui.check.replicas" . }}
{{- include "cluster-ui.check.reached" . }}
{{- include "cluster-ui.check.resources" . }}
{{- include "cluster-ui.check.volumes" . }}
{{- end }}

{{- define "cluster-ui.check.names" -}}
{{- $name := include "cluster-ui.name" . }}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $name) }}
{{- fail (printf "Objects cannot be called %q: set nameOverride to a name of lower-case letters, digits and hyphens that begins with a letter, such as cluster-ui." $name) }}
{{- end }}
{{- $paths := list "settingsSecret" "database.secretName" "redis.secretName" "secretKey.secretName" "metrics.secretName" "oidc.secretName" "authorities.configMapName" "ingress.tlsSecretName" "ingress.className" "persistence.existingClaim" "persistence.storageClassName" "priorityClassName" }}
{{- range $path := $paths }}
{{- $words := splitList "." $path }}
{{- $value := get $.Values (first $words) }}
{{- if eq (len $words) 2 }}{{ $value = get $value (last $words) }}{{ end }}
{{- if and $value (not (regexMatch "^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$" $value)) }}
{{- fail (printf "%s takes the name of an object that is there already, of lower-case letters, digits, hyphens and dots. No value that is secret belongs here: create a Secret with it, and name that." $path) }}
{{- end }}
{{- end }}
{{- range $path := list "database" "redis" "secretKey" "metrics" "oidc" "authorities" }}
{{- if not (regexMatch "^[-._a-zA-Z0-9]+$" (get $.Values $path).key) }}
{{- fail (printf "%s.key takes the name of a key of letters, digits, hyphens, dots and underscores, not its value." $path) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cluster-ui.check.image" -}}
{{- with .Values.image }}
{{- if contains "@" .repository }}
{{- fail (printf "image.repository is %q: put what follows the @ into image.digest." .repository) }}
{{- end }}
{{- if regexMatch ":[^/]*$" .repository }}
{{- fail (printf "image.repository is %q: put what follows the last colon into image.tag." .repository) }}
{{- end }}
{{- if not (regexMatch "^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$" .repository) }}
{{- fail (printf "image.repository is %q: give registry and path in lower-case letters without https://, such as registry.example.com/tools/cluster-ui." .repository) }}
{{- end }}
{{- if not (regexMatch "^([A-Za-z0-9_][A-Za-z0-9._-]{0,127})?$" .tag) }}
{{- fail (printf "image.tag is %q: give a tag alone, such as 0.1.0; a digest goes into image.digest." .tag) }}
{{- end }}
{{- if not (regexMatch "^(sha256:[0-9a-f]{64})?$" .digest) }}
{{- fail (printf "image.digest is %q: give sha256: and 64 hexadecimal digits." .digest) }}
{{- end }}
{{- range .pullSecrets }}
{{- if kindIs "string" . }}
{{- fail (printf "image.pullSecrets holds %q: write it as {name: %s}." . .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* files/settings.yaml has every setting, and how it is read. */}}
{{- define "cluster-ui.check.settings" -}}
{{- $known := .Files.Get "files/settings.yaml" | fromYaml }}
{{- $elsewhere := dict
  "DATABASE_URL" "holds a password: put it into a Secret, and name that in database.secretName."
  "REDIS_URL" "may hold a password: put it into a Secret, and name that in redis.secretName."
  "CLUSTER_UI_SECRET_KEY" "is secret: put it into a Secret, and name that in secretKey.secretName."
  "CLUSTER_UI_SECRET_KEY_FALLBACKS" (printf "is secret: put it into the Secret %s (settingsSecret)." .Values.settingsSecret)
  "CLUSTER_UI_ACT_AS" "is the value actAs."
  "CLUSTER_UI_HOME" "is /data here, where the volume is: see persistence."
}}
{{- $rules := dict
  "flag" (list "^(?i)(1|true|yes|on|0|false|no|off)$" "use 1 or 0")
  "whole" (list "^0*[1-9][0-9]*$" "use a whole number above 0")
  "number" (list "^(0*[1-9][0-9]*([.][0-9]+)?|0*[.]0*[1-9][0-9]*)$" "use a number above 0")
  "level" (list "^(?i)(debug|info|warning|error|critical)$" "use DEBUG, INFO, WARNING, ERROR or CRITICAL")
  "proxy" (list "^https?://[^/ ]+/?$" "give it with its scheme and port, such as http://proxy.example.com:3128")
  "addresses" (list "^([^=/]*=)?https?://[^/ ]" "use addresses such as https://prometheus.example.com:9090, or <context>=<address>, with commas")
  "origins" (list "^https?://[^/ ]+$" "use a scheme and a name, such as https://ui.example.com, with commas")
  "hosts" (list "^([.]?[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?|\\[[0-9a-fA-F:]+\\])$" "use names such as ui.example.com, without https:// and port, with commas")
  "recipients" (list "^(age1|ssh-)" "use public keys, age1… or ssh-…, with commas")
}}
{{- range $name, $value := .Values.settings }}
{{- with get $elsewhere $name }}{{ fail (printf "settings.%s %s" $name .) }}{{ end }}
{{- $kind := get $known $name }}
{{- if not $kind }}
{{- fail (printf "settings.%s is no setting of this version (README, \"Settings\"): correct its name. Other variables that the container needs, such as AWS_REGION, go into the Secret %s (settingsSecret)." $name $.Values.settingsSecret) }}
{{- end }}
{{- if not (kindIs "string" $value) }}
{{- fail (printf "settings.%s has to be text: put its value in quotes; on the command line use --set-string." $name) }}
{{- end }}
{{- $inside := or (regexMatch "(^|://)[^/@ ]*:[^/@ ]*@" $value) (and (eq $kind "proxy") (contains "@" $value)) }}
{{- if or $inside (contains "PRIVATE KEY" $value) (contains "SECRET-KEY" $value) }}
{{- fail (printf "settings.%s holds a secret, which anybody who reads the Deployment would see: put it under the key %s into the Secret %s (settingsSecret)." $name $name $.Values.settingsSecret) }}
{{- end }}
{{- with $rule := get $rules $kind }}
{{- range $word := hasSuffix "with commas" (last $rule) | ternary (splitList "," $value) (list $value) }}
{{- if and (trim $word) (not (regexMatch (first $rule) (trim $word))) }}
{{- fail (printf "settings.%s has %q: %s." $name (trim $word) (last $rule)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq $kind "networks") $value }}
{{- include "cluster-ui.check.networks" (dict "path" (printf "settings.%s" $name) "networks" (splitList "," $value)) }}
{{- end }}
{{- if and (has $kind (list "file" "folder")) (not (contains "://" $value)) }}
{{- range $path := splitList "," $value }}
{{- $path = regexReplaceAll "^[^=/]*=" (trim $path) "" }}
{{- if and $path (not (hasPrefix "/" $path)) }}
{{- fail (printf "settings.%s takes a path in the container, not what is there: put that into a Secret or a volume, and mount it with extraVolumes and extraVolumeMounts." $name) }}
{{- end }}
{{- $mounted := or (not $path) (has $name (list "SSL_CERT_FILE" "CLUSTER_UI_OIDC_CA_FILE")) (hasPrefix "/data/" $path) }}
{{- range $.Values.extraVolumeMounts }}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) (printf "%s/" $path) }}{{ $mounted = true }}{{ end }}
{{- end }}
{{- if not $mounted }}
{{- fail (printf "settings.%s is %q, where nothing is mounted: add it to extraVolumes and extraVolumeMounts." $name $path) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := include "cluster-ui.made" . | fromYaml }}
{{- if and (hasKey $.Values.settings $name) (not (has $name (list "CLUSTER_UI_HOSTS" "CLUSTER_UI_TRUSTED_PROXIES" "NO_PROXY"))) }}
{{- fail (printf "settings.%s is set to %q by another value (metrics, oidc, authorities or ingress): leave it out here." $name $value) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cluster-ui.check.signIn" -}}
{{- $settings := .Values.settings }}
{{- $ways := list }}
{{- range splitList "," (get $settings "CLUSTER_UI_SIGN_IN") }}
{{- with trim . }}
{{- if not (has . (list "link" "oidc" "password" "token")) }}
{{- fail (printf "settings.CLUSTER_UI_SIGN_IN has %q: use one or more of link, oidc, password, token, with commas." .) }}
{{- end }}
{{- $ways = append $ways . }}
{{- end }}
{{- end }}
{{- $oidc := has "oidc" $ways }}
{{- if and (or .Values.oidc.secretName (get $settings "CLUSTER_UI_OIDC_ISSUER") (get $settings "CLUSTER_UI_OIDC_CLIENT_ID")) (not $oidc) }}
{{- fail "OpenID Connect is set up in part: add oidc to settings.CLUSTER_UI_SIGN_IN, such as \"oidc,link\"." }}
{{- end }}
{{- if $oidc }}
{{- range list "CLUSTER_UI_OIDC_ISSUER" "CLUSTER_UI_OIDC_CLIENT_ID" }}
{{- if not (get $settings .) }}
{{- fail (printf "settings.CLUSTER_UI_SIGN_IN has oidc: set settings.%s too." .) }}
{{- end }}
{{- end }}
{{- $issuer := get $settings "CLUSTER_UI_OIDC_ISSUER" }}
{{- if or (not (hasPrefix "https://" $issuer)) (regexMatch "[?#]" $issuer) (contains "/.well-known/" $issuer) }}
{{- fail (printf "settings.CLUSTER_UI_OIDC_ISSUER is %q: give the issuer as it calls itself, such as https://sso.example.com/realms/main, without /.well-known/openid-configuration." $issuer) }}
{{- end }}
{{- if and (eq .Values.actAs "user") (not (hasKey $settings "CLUSTER_UI_OIDC_CONTEXTS")) }}
{{- fail "With actAs=user and oidc say where the issuer's token is sent: settings.CLUSTER_UI_OIDC_CONTEXTS is in-cluster if this cluster's API server trusts the issuer; else leave it empty, and add token to settings.CLUSTER_UI_SIGN_IN." }}
{{- end }}
{{- end }}
{{- if and (eq .Values.actAs "user") (not $oidc) (not (has "token" $ways)) }}
{{- fail "With actAs=user people need a token of their own: add oidc or token to settings.CLUSTER_UI_SIGN_IN, such as \"link,token\"." }}
{{- end }}
{{- range splitList "," (get $settings "CLUSTER_UI_ADMINS") }}
{{- if hasPrefix "oidc:" (trim .) }}
{{- fail (printf "settings.CLUSTER_UI_ADMINS has %q: whoever came first by that name would be an administrator. Use oidc-sub:<the issuer's subject> or group:<a group there>." (trim .)) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cluster-ui.check.rights" -}}
{{- $rbac := .Values.rbac }}
{{- $readOnly := regexMatch "^(?i)(1|true|yes|on)$" (get .Values.settings "CLUSTER_UI_READ_ONLY" | toString) }}
{{- range list "change" "objects" "shell" "debug" }}
{{- if get $rbac . }}
{{- if ne $.Values.actAs "installation" }}
{{- fail (printf "rbac.%s is for actAs=installation. With actAs=%s people act with rights of their own: leave it out, and bind roles to them (roles.create)." . $.Values.actAs) }}
{{- end }}
{{- if $readOnly }}
{{- fail (printf "rbac.%s is a right to change things, and settings.CLUSTER_UI_READ_ONLY lets nobody: leave one of them out." .) }}
{{- end }}
{{- end }}
{{- end }}
{{- range list "secrets" "change" "objects" "shell" "debug" }}
{{- if and (get $rbac .) (not $rbac.create) }}
{{- fail (printf "rbac.%s grants nothing where rbac.create is false: leave it out, and bind that role to the ServiceAccount yourself." .) }}
{{- end }}
{{- end }}
{{- if and $rbac.debug (not (get .Values.settings "CLUSTER_UI_DEBUG_IMAGES")) }}
{{- fail "rbac.debug is of no use without an image: set settings.CLUSTER_UI_DEBUG_IMAGES, such as busybox:1.37." }}
{{- end }}
{{- range $kind := list "users" "groups" }}
{{- with get $rbac.impersonate $kind }}
{{- if ne $.Values.actAs "impersonate" }}
{{- fail (printf "rbac.impersonate.%s is for actAs=impersonate." $kind) }}
{{- end }}
{{- range . }}
{{- if or (eq . "*") (hasPrefix "system:" .) }}
{{- fail (printf "rbac.impersonate.%s holds %q: name people or groups of people, each by its own name." $kind .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cluster-ui.check.replicas" -}}
{{- if and (include "cluster-ui.several" .) (not .Values.database.secretName) }}
{{- fail "Several replicas need PostgreSQL: name the Secret with its address in database.secretName." }}
{{- end }}
{{- if and (include "cluster-ui.several" .) (not .Values.redis.secretName) }}
{{- fail "Several replicas share the limits on sign-ins in Redis: name the Secret with its address in redis.secretName." }}
{{- end }}
{{- if and .Values.database.secretName (not .Values.secretKey.secretName) }}
{{- fail "With PostgreSQL no pod has a volume to keep the secret key on: name the Secret that holds it in secretKey.secretName." }}
{{- end }}
{{- if and .Values.database.secretName .Values.persistence.existingClaim }}
{{- fail "With database.secretName nothing is kept on a volume: leave out persistence.existingClaim." }}
{{- end }}
{{- if not (regexMatch "^[0-9]+([.][0-9]+)?([kMGTP]|[KMGTP]i)?$" .Values.persistence.size) }}
{{- fail (printf "persistence.size is %q: give a quantity, such as 5Gi." .Values.persistence.size) }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas." }}
{{- end }}
{{- if not (dig "requests" "cpu" "" .Values.resources) }}
{{- fail "autoscaling counts in percent of the requested CPU: set resources.requests.cpu." }}
{{- end }}
{{- end }}
{{- if hasKey .Values.podLabels "app.kubernetes.io/name" }}
{{- fail "The Service and the Deployment find their pods by app.kubernetes.io/name: leave it out of podLabels." }}
{{- end }}
{{- end }}

{{- define "cluster-ui.check.reached" -}}
{{- with .Values.ingress }}
{{- if .enabled }}
{{- if not .host }}
{{- fail "The dashboard answers to names that it knows: set ingress.host." }}
{{- end }}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$" .host) }}
{{- fail (printf "ingress.host is %q: give the name alone in lower-case letters, without https://, port and path, such as ui.example.com." .host) }}
{{- end }}
{{- if regexMatch "^[0-9.]+$" .host }}
{{- fail (printf "ingress.host is %q: an Ingress takes a name, no address." .host) }}
{{- end }}
{{- if not .trustedProxies }}
{{- fail "Behind an ingress everybody has the controller's address: set ingress.trustedProxies to the network of its pods (a cloud's load balancer: its subnets)." }}
{{- end }}
{{- include "cluster-ui.check.networks" (dict "path" "ingress.trustedProxies" "networks" (splitList "," .trustedProxies)) }}
{{- end }}
{{- end }}
{{- include "cluster-ui.check.networks" (dict "path" "networkPolicy.fromNetworks" "networks" .Values.networkPolicy.fromNetworks "with" "/") }}
{{- with .Values.metrics }}
{{- if and .serviceMonitor.enabled (not .secretName) }}
{{- fail "/metrics answers others with a token only: name the Secret that holds it in metrics.secretName." }}
{{- end }}
{{- if not (regexMatch "^([0-9]+(ms|[smhd]))+$" .serviceMonitor.interval) }}
{{- fail (printf "metrics.serviceMonitor.interval is %q: give a duration, such as 30s." .serviceMonitor.interval) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Addresses, and networks without bits behind their length, which the dashboard does not start with. */}}
{{- define "cluster-ui.check.networks" -}}
{{- range $network := .networks }}
{{- $network = trim $network }}
{{- if not (regexMatch "^([0-9]{1,3}([.][0-9]{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)(/[0-9]{1,3})?$" $network) }}
{{- fail (printf "%s has %q: give addresses or networks, such as 10.42.0.0/16." $.path $network) }}
{{- end }}
{{- if hasSuffix "/0" $network }}
{{- fail (printf "%s has %q, which is everybody: name the network of the proxy or load balancer alone." $.path $network) }}
{{- end }}
{{- if and $.with (not (contains "/" $network)) }}
{{- fail (printf "%s has %q: give a network; of a single address %s/%s." $.path $network $network (ternary "128" "32" (contains ":" $network))) }}
{{- end }}
{{- if regexMatch "^[0-9.]+/[0-9]+$" $network }}
{{- $parts := splitList "/" $network }}
{{- $bits := int (last $parts) }}
{{- $address := 0 }}
{{- range splitList "." (first $parts) }}
{{- if or (gt (int .) 255) (gt $bits 32) }}
{{- fail (printf "%s has %q, which is no network." $.path $network) }}
{{- end }}
{{- $address = add (mul $address 256) (int .) }}
{{- end }}
{{- $hosts := 1 }}
{{- range until (int (sub 32 $bits)) }}{{ $hosts = mul $hosts 2 }}{{ end }}
{{- if mod $address $hosts }}
{{- fail (printf "%s has %q: its address does not end with the network; for the address alone leave out /%d." $.path $network $bits) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cluster-ui.check.resources" -}}
{{- range $what, $amounts := .Values.resources }}
{{- range $name, $amount := $amounts }}
{{- $path := printf "resources.%s.%s" $what $name }}
{{- if not (regexMatch "^[0-9]+([.][0-9]+)?(m|[kMGTPE]|[KMGTPE]i|[eE][0-9]+)?$" (toString $amount)) }}
{{- fail (printf "%s is %q: give a quantity, such as 500m of CPU or 512Mi of memory." $path (toString $amount)) }}
{{- end }}
{{- if and (ne $name "cpu") (regexMatch "^[0-9.]{1,7}m?$" (toString $amount)) (has $name (list "memory" "ephemeral-storage")) }}
{{- fail (printf "%s is %q, which is less than the program needs: give it with its unit, such as 512Mi." $path (toString $amount)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cluster-ui.check.volumes" -}}
{{- $ours := list "data" "tmp" "metrics-token" "oidc-client" "authorities" }}
{{- $there := list }}
{{- range .Values.extraVolumes }}
{{- if has .name $ours }}
{{- fail (printf "extraVolumes has %q, which the chart has itself: give it another name." .name) }}
{{- end }}
{{- $there = append $there .name }}
{{- end }}
{{- $mounted := list }}
{{- range .Values.extraVolumeMounts }}
{{- if not (has .name $there) }}
{{- fail (printf "extraVolumeMounts mounts %q: add it to extraVolumes." .name) }}
{{- end }}
{{- if or (not (hasPrefix "/" .mountPath)) (has (printf "/%s" (trimAll "/" .mountPath)) (list "/" "/app" "/data" "/tmp")) }}
{{- fail (printf "extraVolumeMounts mounts %q at %q: give an absolute path that hides nothing of the program, such as /files." .name .mountPath) }}
{{- end }}
{{- $mounted = append $mounted .name }}
{{- end }}
{{- range $there }}
{{- if not (has . $mounted) }}
{{- fail (printf "extraVolumes has %q, which extraVolumeMounts mounts nowhere." .) }}
{{- end }}
{{- end }}
{{- end }}
