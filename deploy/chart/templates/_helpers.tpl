{{/* What every object of the release is named after. */}}
{{- define "casetrail.name" -}}
{{- if contains "casetrail" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-casetrail" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "casetrail.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Labels by which the pods of one component are selected: (list context component). They never change. */}}
{{- define "casetrail.selector" -}}
app.kubernetes.io/name: casetrail
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "casetrail.labels" -}}
{{ include "casetrail.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end -}}

{{- define "casetrail.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "casetrail.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "casetrail.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Secrets that a component reads, a list of {mount, secret, key, variable}; each variable names the file
/run/casetrail/<mount>/<key>.
*/}}
{{- define "casetrail.secrets" -}}
{{- $values := (index . 0).Values -}}
{{- $component := index . 1 -}}
{{- $prefix := $values.nats.credentialsPrefix -}}
- { mount: nats, secret: {{ $prefix }}-{{ $component }}, key: user.creds, variable: CASETRAIL_NATS_CREDS }
{{- if $values.nats.caSecret }}
- { mount: nats-ca, secret: {{ $values.nats.caSecret }}, key: ca.crt, variable: CASETRAIL_NATS_TLS_CA }
{{- end }}
{{- if has $component (list "access" "intake" "notify") }}
- { mount: link-key, secret: {{ $values.linkKeySecret }}, key: link.key, variable: CASETRAIL_LINK_KEY_FILE }
{{- end }}
{{- if eq $component "notify" }}
{{- if $values.mail.inbound.enabled }}
- { mount: requests, secret: {{ $prefix }}-notify-requests, key: user.creds, variable: CASETRAIL_REQUESTS_CREDS }
{{- end }}
{{- with $values.mail.smtp.passwordSecret }}
- { mount: smtp, secret: {{ . }}, key: password, variable: CASETRAIL_SMTP_PASSWORD_FILE }
{{- end }}
{{- with $values.mail.dkim.secret }}
- { mount: dkim, secret: {{ . }}, key: dkim.pem, variable: CASETRAIL_DKIM_KEY_FILE }
{{- end }}
{{- end }}
{{- if eq $component "portal" }}
- { mount: session-key, secret: {{ $values.sessionKeySecret }}, key: session.key, variable: CASETRAIL_SESSION_KEY_FILE }
{{- with $values.oidc.clientSecret }}
- { mount: oidc, secret: {{ . }}, key: secret, variable: CASETRAIL_OIDC_CLIENT_SECRET_FILE }
{{- end }}
{{- end }}
{{- end -}}

{{/* The plain settings of a component, a map of variables. */}}
{{- define "casetrail.settings" -}}
{{- $values := (index . 0).Values -}}
{{- $component := index . 1 -}}
CASETRAIL_NATS_URL: {{ $values.nats.url | quote }}
CASETRAIL_LOG_LEVEL: {{ $values.log.level | quote }}
{{- if not (has $component (list "setup" "backup")) }}
CASETRAIL_HEALTH_HOST: "0.0.0.0"
CASETRAIL_HEALTH_PORT: "8081"
CASETRAIL_DATA_DIR: /data
{{- with $values.otlpEndpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
{{- end }}
{{- end }}
{{- if eq $component "setup" }}
CASETRAIL_STREAM_REPLICAS: {{ $values.nats.streamReplicas | quote }}
{{- else if eq $component "attachments" }}
{{- with $values.clamdAddress }}
CASETRAIL_CLAMD_ADDRESS: {{ . | quote }}
{{- end }}
{{- else if eq $component "notify" }}
CASETRAIL_PUBLIC_URL: {{ $values.publicUrl | quote }}
CASETRAIL_MAIL_FROM: {{ $values.mail.from | quote }}
CASETRAIL_MAIL_FROM_NAME: {{ $values.mail.fromName | quote }}
CASETRAIL_SMTP_HOST: {{ $values.mail.smtp.host | quote }}
CASETRAIL_SMTP_PORT: {{ $values.mail.smtp.port | quote }}
CASETRAIL_SMTP_TLS: {{ $values.mail.smtp.tls | quote }}
{{- with $values.mail.smtp.user }}
CASETRAIL_SMTP_USER: {{ . | quote }}
{{- end }}
{{- if $values.mail.dkim.secret }}
CASETRAIL_DKIM_SELECTOR: {{ $values.mail.dkim.selector | quote }}
{{- end }}
{{- if $values.mail.inbound.enabled }}
CASETRAIL_MAIL_IN_HOST: "0.0.0.0"
CASETRAIL_MAIL_IN_PORT: {{ $values.mail.inbound.port | quote }}
CASETRAIL_MAIL_IN_PROTOCOL: {{ $values.mail.inbound.protocol | quote }}
CASETRAIL_MAIL_IN_PEERS: {{ $values.mail.inbound.peers | quote }}
{{- with $values.mail.inbound.trusted }}
CASETRAIL_MAIL_IN_TRUSTED: {{ . | quote }}
{{- end }}
{{- with $values.mail.inbound.domain }}
CASETRAIL_MAIL_IN_DOMAIN: {{ . | quote }}
{{- end }}
{{- end }}
{{- else if eq $component "portal" }}
CASETRAIL_ENV: production
CASETRAIL_PUBLIC_URL: {{ $values.publicUrl | quote }}
CASETRAIL_OIDC_ISSUER: {{ $values.oidc.issuer | quote }}
CASETRAIL_OIDC_CLIENT_ID: {{ $values.oidc.clientId | quote }}
CASETRAIL_PORTAL_HOST: "0.0.0.0"
CASETRAIL_PORTAL_PORT: {{ $values.portal.port | quote }}
CASETRAIL_PORTAL_TRUSTED_PROXIES: {{ $values.portal.trustedProxies | quote }}
CASETRAIL_SHUTDOWN_TIMEOUT_S: "20"
{{- end }}
{{- end -}}

{{/* Environment of a component's container: its settings, its own `env`, and its secrets' files. */}}
{{- define "casetrail.env" -}}
{{- $component := index . 1 -}}
{{- $settings := include "casetrail.settings" . | fromYaml -}}
{{- $set := keys $settings -}}
{{- range include "casetrail.secrets" . | fromYamlArray }}
{{- $set = append $set .variable -}}
{{- end }}
{{- range $name, $_ := index . 2 }}
{{- if and (has $name $set) (ne $name "CASETRAIL_LOG_LEVEL") }}
{{- fail (printf "services.%s.env.%s: the chart sets it; policies and probes go by its own value" $component $name) }}
{{- end }}
{{- end }}
{{- range $name, $value := merge (deepCopy (index . 2)) $settings }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- range include "casetrail.secrets" . | fromYamlArray }}
- name: {{ .variable }}
  value: /run/casetrail/{{ .mount }}/{{ .key }}
{{- end }}
{{- end -}}

{{- define "casetrail.secretMounts" -}}
{{- range include "casetrail.secrets" . | fromYamlArray }}
- name: {{ .mount }}
  mountPath: /run/casetrail/{{ .mount }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "casetrail.secretVolumes" -}}
{{- range include "casetrail.secrets" . | fromYamlArray }}
- name: {{ .mount }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      - { key: {{ .key }}, path: {{ .key }} }
{{- end }}
{{- end -}}

{{/* Ports that a service listens on beside the one of its health, a list of {name, port}. */}}
{{- define "casetrail.ports" -}}
{{- $values := (index . 0).Values -}}
{{- if eq (index . 1) "portal" -}}
- { name: http, port: {{ $values.portal.port }} }
{{- else if and (eq (index . 1) "notify") $values.mail.inbound.enabled -}}
- { name: mail, port: {{ $values.mail.inbound.port }} }
{{- else -}}
[]
{{- end -}}
{{- end -}}
