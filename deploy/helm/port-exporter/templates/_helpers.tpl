{{- define "port-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "port-exporter.fullname" -}}
{{- $name := include "port-exporter.name" . }}
{{- $whole := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- .Values.fullnameOverride | default $whole | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "port-exporter.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{- define "port-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "port-exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "port-exporter.labels" -}}
{{ include "port-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- if .Values.releaseLabel }}
release: {{ .Release.Name }}
{{- end }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "port-exporter.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "port-exporter.fullname" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- define "port-exporter.image" -}}
{{- with .Values.image }}
{{- $suffix := ternary (printf "@%s" .digest) (printf ":%s" (.tag | default $.Chart.AppVersion)) (not (empty .digest)) }}
{{- ternary "" (printf "%s/" .registry) (empty .registry) }}{{ .repository }}{{ $suffix }}
{{- end }}
{{- end }}

{{- /* A probe of the path: dict "path" "probe" "port". */}}
{{- define "port-exporter.probe" -}}
{{- $get := merge (dict "path" .path "port" .port) (deepCopy (.probe.httpGet | default dict)) }}
{{- with $get.scheme }}{{ $_ := set $get "scheme" (upper .) }}{{ end }}
{{- toYaml (merge (dict "httpGet" $get) (omit .probe "httpGet")) }}
{{- end }}

{{- define "port-exporter.containerSecurityContext" -}}
{{- $context := deepCopy .Values.containerSecurityContext }}
{{- if .Values.snat.enabled }}
{{- $capabilities := $context.capabilities | default dict }}
{{- $_ := set $capabilities "add" (append ($capabilities.add | default list) "NET_ADMIN" | uniq) }}
{{- $_ := set $context "capabilities" $capabilities }}
{{- end }}
{{- toYaml $context }}
{{- end }}
