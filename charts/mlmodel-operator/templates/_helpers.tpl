{{/* Names of everything of this release begin with this. */}}
{{- define "mlmodel-operator.fullname" -}}
{{- $name := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) }}
{{- $name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "mlmodel-operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mlmodel-operator.labels" -}}
{{ include "mlmodel-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: mlmodel
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The user as which the operator speaks to the API server. */}}
{{- define "mlmodel-operator.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "mlmodel-operator.fullname" . }}
{{- end }}

{{/* Where the operator's rights hold: everywhere, or in one namespace. */}}
{{- define "mlmodel-operator.scope" -}}
{{- if .Values.watchNamespace }}Role{{ else }}ClusterRole{{ end }}
{{- end }}
