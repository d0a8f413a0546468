{{/* What the schema cannot say: values that are right one by one and wrong together. */}}
{{- define "sluice.checks" -}}
{{- $redis := include "sluice.hasRedis" . -}}
{{- $wanted := ternary (int .Values.autoscaling.maxReplicas) (int .Values.replicaCount) .Values.autoscaling.enabled -}}
{{- if and (gt $wanted 1) (not $redis) -}}
{{- fail (printf "%s needs Redis: without it each replica has a log of its own, and a subscriber gets only what was published at the same replica. Set settings.REDIS_URL, put REDIS_URL into secrets, or set redis.enabled=true for trying out; or keep replicaCount=1 without autoscaling." (ternary "autoscaling.enabled" (printf "replicaCount=%d" $wanted) .Values.autoscaling.enabled)) -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas." -}}
{{- end -}}
{{- if and .Values.secrets.existingSecret .Values.secrets.values -}}
{{- fail "secrets.existingSecret and secrets.values are both set. Put the values into that Secret and name them in secrets.keys, or remove secrets.existingSecret." -}}
{{- end -}}
{{- $named := include "sluice.secretNames" . | fromYamlArray -}}
{{- if .Values.redis.enabled }}{{ $named = append $named "REDIS_URL" }}{{ end -}}
{{- if .Values.tls.existingSecret }}{{ $named = concat $named (list "SLUICE_TLS_CERT" "SLUICE_TLS_KEY") }}{{ end -}}
{{- if .Values.redisTls.existingSecret }}{{ $named = append $named "SLUICE_REDIS_TLS_CA" }}{{ end -}}
{{- if .Values.redisTls.clientCertificate }}{{ $named = concat $named (list "SLUICE_REDIS_TLS_CERT" "SLUICE_REDIS_TLS_KEY") }}{{ end -}}
{{- if and .Values.redisTls.clientCertificate (not .Values.redisTls.existingSecret) -}}
{{- fail "redisTls.clientCertificate needs redisTls.existingSecret, the Secret that holds it." -}}
{{- end -}}
{{- $seen := dict -}}
{{- range concat $named (keys .Values.settings) -}}
{{- $name := trimSuffix "_FILE" . -}}
{{- if hasKey $seen $name -}}
{{- fail (printf "%s is set twice. A setting comes from one of: settings (with or without _FILE), secrets, redis.enabled (REDIS_URL), tls, redisTls." $name) -}}
{{- end -}}
{{- $_ := set $seen $name true -}}
{{- end -}}
{{- if eq (include "sluice.port" .) (include "sluice.adminPort" .) -}}
{{- fail "settings.PORT and settings.SLUICE_ADMIN_PORT are the same; metrics and health need a port of their own, so that they are not public." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled needs ingress.hosts, such as [events.example.com]." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs httpRoute.parentRefs: the Gateway that the route is for, such as [{name: gateway}]." -}}
{{- end -}}
{{- end -}}
