{{- define "transcriber.name" -}}
{{- printf "%s-transcriber" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "transcriber.host" -}}
{{ include "transcriber.name" .root }}-{{ .part }}.{{ .root.Release.Namespace }}.svc
{{- end -}}

{{- define "transcriber.labels" -}}
app.kubernetes.io/name: whisper-transcriber
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "transcriber.chartLabels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* Of each pod: another user than root, no rights, no token of the cluster. */}}
{{- define "transcriber.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "transcriber.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "transcriber.secret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef: {name: {{ .root.Values.secretName }}, key: {{ .key }}, optional: {{ .optional | default false }}}
{{- end -}}

{{/* What all of our processes are told. */}}
{{- define "transcriber.env" -}}
- {name: PREFECT_API_URL, value: "http://{{ include "transcriber.host" (dict "root" . "part" "prefect") }}:4200/api"}
- {name: PREFECT_SERVER_ANALYTICS_ENABLED, value: "false"}
{{- /* Inside the volume, whose root belongs to root: a folder that the process makes is its own. */}}
- {name: TRANSCRIBER_DATA_DIR, value: /data/transcriber}
- {name: TRANSCRIBER_WEB_URL, value: "http://{{ include "transcriber.host" (dict "root" . "part" "web") }}:8501"}
- {name: TRANSCRIBER_PUBLIC_URL, value: {{ .Values.publicUrl | quote }}}
- {name: TRANSCRIBER_STORAGE_URL, value: {{ .Values.storage.url | quote }}}
{{- with .Values.storage.endpointUrl }}
- {name: TRANSCRIBER_STORAGE_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.model }}
- {name: TRANSCRIBER_MODEL, value: {{ . | quote }}}
{{- end }}
{{ include "transcriber.secret" (dict "root" . "name" "PREFECT_API_AUTH_STRING" "key" "prefect-auth") }}
{{ include "transcriber.secret" (dict "root" . "name" "TRANSCRIBER_WORKER_TOKEN" "key" "worker-token") }}
{{ include "transcriber.secret" (dict "root" . "name" "AWS_ACCESS_KEY_ID" "key" "aws-access-key-id" "optional" true) }}
{{ include "transcriber.secret" (dict "root" . "name" "AWS_SECRET_ACCESS_KEY" "key" "aws-secret-access-key" "optional" true) }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "transcriber.claim" -}}
- metadata: {name: data}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with .storageClassName }}
    storageClassName: {{ . }}
    {{- end }}
    resources: {requests: {storage: {{ .size }}}}
{{- end -}}
