{{/* The settings as YAML, with the chart's defaults. */}}
{{- define "sluice.settings" -}}
{{- $defaults := dict "PORT" "3000" "SLUICE_ADMIN_PORT" "9090" -}}
{{- if .Values.persistence.enabled -}}
{{- $defaults = merge $defaults (dict "SLUICE_DATA_DIR" "/data" "SLUICE_DATA_BYTES" (include "sluice.dataBytes" .)) -}}
{{- end -}}
{{- toYaml (merge (dict) .Values.settings $defaults) -}}
{{- end -}}

{{/* Three quarters of the volume: the rest is for the file system, and for a damaged log that is set aside. */}}
{{- define "sluice.dataBytes" -}}
{{- $unit := regexFind "[A-Za-z]+$" .Values.persistence.size -}}
{{- $number := trimSuffix $unit .Values.persistence.size | int64 -}}
{{- $bytes := get (dict "M" 1000000 "G" 1000000000 "T" 1000000000000 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776) $unit -}}
{{- div (mul $number $bytes 3) 4 -}}
{{- end -}}

{{/* The text of a setting. Without this, large YAML numbers would become 1e+07. */}}
{{- define "sluice.text" -}}
{{- if kindIs "float64" . }}{{ printf "%d" (int64 .) }}{{ else if kindIs "bool" . }}{{ ternary "on" "off" . }}{{ else }}{{ toString . }}{{ end -}}
{{- end -}}

{{- define "sluice.port" -}}
{{- include "sluice.text" (include "sluice.settings" . | fromYaml).PORT -}}
{{- end -}}

{{- define "sluice.adminPort" -}}
{{- include "sluice.text" (include "sluice.settings" . | fromYaml).SLUICE_ADMIN_PORT -}}
{{- end -}}

{{/* The drain window in whole seconds, rounded up. */}}
{{- define "sluice.drainSeconds" -}}
{{- $text := .Values.settings.SLUICE_DRAIN_WINDOW | default "10s" -}}
{{- $unit := regexFind "[a-z]+$" $text -}}
{{- $factor := get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0) $unit -}}
{{- ceil (mulf (trimSuffix $unit $text | float64) $factor) | int -}}
{{- end -}}

{{/* The grace period of a pod: the preStop sleep, the drain, and 15 s for the last requests. */}}
{{- define "sluice.graceSeconds" -}}
{{- add .Values.preStopSeconds (include "sluice.drainSeconds" .) 15 -}}
{{- end -}}

{{/* Not empty when the publish keys come from the chart's values or are generated. */}}
{{- define "sluice.ownPublishKeys" -}}
{{- $given := or (hasKey .Values.settings "SLUICE_PUBLISH_KEYS") (hasKey .Values.settings "SLUICE_PUBLISH_KEYS_FILE") -}}
{{- if not (or .Values.secrets.existingSecret $given) }}true{{ end -}}
{{- end -}}

{{/* The names of the settings that come from a Secret, as a YAML list. */}}
{{- define "sluice.secretNames" -}}
{{- $names := list -}}
{{- if .Values.secrets.existingSecret -}}
{{- $names = .Values.secrets.keys -}}
{{- else -}}
{{- $names = keys .Values.secrets.values -}}
{{- if include "sluice.ownPublishKeys" . }}{{ $names = append $names "SLUICE_PUBLISH_KEYS" }}{{ end -}}
{{- end -}}
{{- toYaml ($names | uniq | sortAlpha) -}}
{{- end -}}

{{- define "sluice.secretName" -}}
{{- .Values.secrets.existingSecret | default (include "sluice.fullname" .) -}}
{{- end -}}

{{- define "sluice.redisSecretName" -}}
{{- .Values.redis.existingSecret | default (printf "%s-redis" (include "sluice.fullname" .)) -}}
{{- end -}}

{{/* Not empty when there is a Redis, so that all replicas are one broker. */}}
{{- define "sluice.hasRedis" -}}
{{- $secret := has "REDIS_URL" (include "sluice.secretNames" . | fromYamlArray) -}}
{{- $set := or .Values.settings.REDIS_URL .Values.settings.REDIS_URL_FILE -}}
{{- if or .Values.redis.enabled $set $secret }}true{{ end -}}
{{- end -}}

{{- define "sluice.env" -}}
{{- range $name, $value := (include "sluice.settings" . | fromYaml) }}
- name: {{ $name }}
  {{- if kindIs "map" $value }}
  valueFrom:
    {{- toYaml $value | nindent 4 }}
  {{- else }}
  value: {{ include "sluice.text" $value | quote }}
  {{- end }}
{{- end }}
{{- range (include "sluice.secretNames" . | fromYamlArray) }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ include "sluice.secretName" $ }}
      key: {{ . }}
{{- end }}
{{- if .Values.redis.enabled }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "sluice.redisSecretName" . }}
      key: password
- name: REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "sluice.fullname" . }}-redis:6379
{{- end }}
{{- if .Values.tls.existingSecret }}
- name: SLUICE_TLS_CERT_FILE
  value: /etc/sluice/tls/tls.crt
- name: SLUICE_TLS_KEY_FILE
  value: /etc/sluice/tls/tls.key
{{- end }}
{{- if .Values.redisTls.existingSecret }}
- name: SLUICE_REDIS_TLS_CA_FILE
  value: /etc/sluice/redis-tls/ca.crt
{{- if .Values.redisTls.clientCertificate }}
- name: SLUICE_REDIS_TLS_CERT_FILE
  value: /etc/sluice/redis-tls/tls.crt
- name: SLUICE_REDIS_TLS_KEY_FILE
  value: /etc/sluice/redis-tls/tls.key
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The folders with certificates and the Secret of each, as YAML. */}}
{{- define "sluice.certificates" -}}
{{- with .Values.tls.existingSecret }}
tls: {{ . }}
{{- end }}
{{- with .Values.redisTls.existingSecret }}
redis-tls: {{ . }}
{{- end }}
{{- end -}}
