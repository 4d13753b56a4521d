"""A basic word list of other languages (es pt fr it de ru, and zh as parts of words), as data.

A word that English has too keeps its English meaning, so such words are left out where that would mislead. Imperatives
and infinitives stand side by side, because these languages ask with both; accents may be missing as people type them.
"""

from typing import Final

VERBS: Final[dict[str, str]] = {
    "make": (
        # es
        "crea crear cree añade añadir anade agrega agregar actualiza actualizar actualice modifica modificar modifique"
        " cambia cambiar cambie escribe escribir escriba genera generar genere elimina eliminar elimine borra borrar"
        " quita quitar mejora mejorar mejore completa completar traduce traducir haz hacer haga pon poner incluye"
        " incluir deja"
        # pt
        " crie criar adicione adicionar acrescente atualize atualizar altere alterar mude mudar escreva escrever gere"
        " gerar remova remover exclua excluir apague apagar melhore melhorar faça faca fazer inclua incluir traduza"
        " coloque adiciona acrescenta atualiza altera muda escreve gera apaga exclui melhora coloca cria"
        # fr
        " crée créer créez cree ajoute ajouter ajoutez modifie modifier modifiez changez écris ecris écrire ecrire"
        " écrivez génère générer genere supprime supprimer supprimez améliore améliorer mets mettre mettez fais faire"
        " faites traduis traduire complète compléter rédige rédiger redige rediger"
        # it
        " creare crei aggiungi aggiungere aggiungete aggiorna aggiornare modificare scrivi scrivere scrivete generare"
        " rimuovi rimuovere togli cancella cancellare migliora migliorare fai traduci tradurre completare inserisci"
        # de
        " erstelle erstellen füge hinzufügen hinzu ergänze ergänzen aktualisiere aktualisieren ändere ändern schreibe"
        " schreib schreiben generiere generieren entferne entfernen lösche löschen verbessere verbessern übersetze"
        " übersetzen mach mache machen erweitere erweitern"
        # ru
        " создай создать сделай сделать добавь добавить обнови обновить измени изменить напиши написать удали удалить"
        " улучши переведи"
    ),
    "build": (
        "implementa implementar implemente configura configurar configure instala instalar instale desarrolla"
        " desarrollar integra integrar despliega desplegar construye construir programa habilita desenvolva desenvolver"
        " construa continúa continua sigue seguir procede prossiga avance implémente implementer implémenter"
        " implémentez installe installer configurez développe développer continuez implementare installa installare"
        " configurare sviluppa sviluppare costruisci costruire implementiere implementieren baue bauen installiere"
        " installieren konfiguriere konfigurieren entwickle entwickeln реализуй реализовать установи установить настрой"
        " настроить продолжай собери"
    ),
    "fix": (
        "corrige corregir corrija corrigir arregla arreglar arregle soluciona solucionar solucione resuelve resolver"
        " resuelva repara reparar resolva conserte consertar ajuste ajustar corriger corrigez répare réparer résous"
        " résoudre correggi correggere sistema sistemare risolvi risolvere ripara behebe beheben korrigiere korrigieren"
        " repariere reparieren löse исправь исправить почини починить"
    ),
    "run": (
        "ejecuta ejecutar ejecute corre correr lanza lanzar executa executar rode rodar exécute exécuter lance lancer"
        " esegui eseguire lancia führe ausführen starte starten запусти запустить выполни"
    ),
    "plan": (
        "planea planear planifica planificar diseña diseñar disena proponer propon planeje planejar projete proponha"
        " planifie planifier conçois concevoir propose-moi pianifica pianificare progetta progettare proponi plane"
        " planen entwirf entwerfen спланируй запланируй спроектируй"
    ),
    "analyze": (
        "analiza analizar analice investiga investigar investigue busca buscar busque encuentra encontrar averigua"
        " examina explora explorar compara comparar lista listar liste analise analisar encontre procure procurar"
        " descobre descubra descobrir scopri scoprire analyser analysez cherche chercher trouve trouver analisa"
        " pesquise pesquisar analizza analizzare cerca cercare trova trovare indaga confronta analysiere"
        " analysieren untersuche untersuchen suche suchen finde"
        " finden vergleiche vergleichen проанализируй проанализировать найди найти изучи исследуй сравни"
    ),
    "check": (
        "verifica verificar verifique comprueba comprobar chequea confirma confirmar confirme vérifie vérifier verifie"
        " vérifiez controlla controllare verificare prüfe prüfen überprüfe überprüfen проверь проверить"
    ),
    "review": (
        "revisa revisar revise audita auditar avalie avaliar evalúa evaluar relis relire évalue évaluer rivedi rivedere"
        " revisiona revisionare valuta begutachte begutachten bewerte valide validar"
    ),
    "read": (
        "lee leer mira mirar leia ler veja olhe lis lire regarde regarder leggi leggere guarda lies lesen прочитай"
        " посмотри"
    ),
    "explain": (
        "explica explicar explícame explicame explique expliquer expliquez dime decir cuéntame dame muestra muestrame"
        " muéstrame diga mostre dis-moi donne-moi montre spiega spiegami spiegare dimmi mostra mostrami erkläre erklär"
        " erklären sag zeige zeig nenne объясни расскажи покажи скажи"
    ),
    "test": ("probar pruebe teste testar tester testez testa testare testen протестируй"),
    "refactor": (
        "refactoriza refactorizar refactorice reorganiza reorganizar limpia limpiar simplifica simplificar refatore"
        " refatorar limpe limpa limpar simplifique mueve mover mova refactorise refactoriser réorganise nettoie"
        " nettoyer déplace rifattorizza rifattorizzare riorganizza riorganizzare pulisci pulire semplifica refaktoriere"
        " refaktorisiere refaktorisieren refaktorieren strukturiere umstrukturieren отрефактори рефакторинг"
    ),
    "format": (
        "formatea formatear renombra renombrar formate formatar renomeie renomear formater renomme renommer formatta"
        " formattare rinomina rinominare formatiere formatieren umbenennen benenne отформатируй переименуй"
    ),
    "document": (
        "documenta documentar documente comenta comentar documenter documentez commente commenter documentare"
        " dokumentiere dokumentieren kommentiere kommentieren задокументируй"
    ),
    "summarize": (
        "resume resumir resuma résume résumer riassumi riassumere sintetizza fasse zusammenfassen резюмируй суммируй"
    ),
    "commit": (
        "sube subir subes suba pushea pushear commitea commitear commite commiter committa committare committe"
        " закоммить запушь"
    ),
}
"""Verb class to forms, all written out."""

NOUNS: Final[dict[str, str]] = {
    "test": "prueba pruebas teste testes essai essais prove тест тесты тестов",
    "doc": (
        "documentación documentacion comentarios documentação documentacao comentários commentaires documentazione"
        " commenti dokumentation doku kommentare guía guida документацию документация комментарии"
    ),
    "paper": "documento documentos dokument документ",
    "plan": "plano planos piano plane planes arquitectura arquitetura architettura architektur planung план",
    "summary": "resumen resumo résumé riassunto zusammenfassung сводку",
    "analysis": "análisis análise analisi",
    "review": "revisión revisão revisione",
    "fault": (
        "fallo fallos erro erros erreur erreurs errore errori fehler problema problemas problème ошибка ошибку ошибки"
    ),
}

ROLES: Final[dict[str, str]] = {
    "opener": (
        "hola gracias ahora también tambien bueno vale perfecto olá ola obrigado agora também bom então entao bonjour"
        " merci maintenant aussi donc ciao grazie ora adesso anche bene allora danke jetzt auch nun ну теперь также"
        " solo también sólo apenas"
    ),
    "please": "favor porfavor s'il svp stp bitte пожалуйста",
    "det": (
        "el la los las un una unos unas este esta estos estas mi tu su o os um uma uns umas meu minha seu sua esse essa"
        " le les une des du mon ma mes ton ta ce cette ces il gli uno questo questa questi der das den dem ein eine"
        " einen einem einer mein meine dein diese dieses diesen todos todas todo toda tous toutes tutti tutte alle"
        " nuevo nueva novo nova nouveau nouvelle nuovo nuova neue neuen все этот эту мой lo"
    ),
    "aux": "es está son fue é são est sont è sono ist sind",
    "neg": "não nao pas nicht kein keine sin sem sans senza ohne не без",
    "wh": (
        "cómo qué cuál cuáles dónde quién cuándo onde quem quais qual pourquoi quoi quel quelle quels où perché cosa"
        " quale quali dove warum wie wieso welche welcher welches wo wer как почему что какой какие где зачем perchè"
        " porqué"
    ),
    "cond": "si quando cuando lorsque wenn falls если когда porque porquê weil",
    "want": "quiero necesito quero preciso gostaria veux voudrais vorrei voglio möchte brauche хочу нужно",
    "of": "de del do da dos das dell' della delle dei degli von vom",
    "with": "con com avec mit",
    "into": "en na nas nos dans sur sul sulla nel nella im ins auf",
    "prep": "para por pour per für über zu zum zur",
    "and": "y e et ed und и",
    "but": "pero mas mais ma aber sondern но",
    "then": "luego después despues depois ensuite puis poi dopo dann danach anschließend затем потом",
}
"""Role to words."""

CAUSE_PAIRS: Final = (["por", "qué"], ["por", "que"])
"""Two words that ask for a cause."""
HOWS: Final = "comment come"
"""Words that ask how where a word of another language follows; English has them as verbs."""
HOW_FOLLOWERS: Final = (
    "fonctionne fonctionnent marche marchent peut peux puis puis-je peut-on faire ça utiliser tester ajouter on"
    " funziona funzionano posso possiamo puoi può puo si faccio fare viene vengono mai"
)
"""Words after those that only a question has."""
DIFFERENCES: Final = "differenza diferencia diferença différence difference"
"""Nouns by which a question compares ("che differenza c'è")."""
SHARED: Final = {"resume": "summarize", "revise": "review"}
"""Words that English has with another meaning to the verb class that they have before a word of another language."""
CAUSES: Final = "pourquoi warum wieso weshalb perché perchè porqué почему зачем"
"""Words that ask for a cause."""
FAULTY: Final = (
    "falla fallo error funciona sale saliendo falha erro erros échoue échouent fallan falham marche erreur bug errore"
    " fallisce funziona fehler funktioniert kaputt ошибка ошибку lente lento lenta lent langsam"
)
JUDGING: Final = "correcto correcta correto correta corretto corretta richtig правильно корректно"
"""Words that turn a check into a judgement."""

ASIAN: Final[dict[str, str]] = {
    "fix": "修复 修正 修好 修一下 解决 修復 解決",
    "make": (
        "修改 更新 添加 增加 新增 创建 新建 编写 写一 写个 生成 删除 删掉 移除 去掉 改成 改为 改一下 更改 改进 优化"
        " 完善 补充 翻译 写入 写到 写成 合并 移动 移到 展开 换成 换一 换个 更换 替换 变成 变为 加上 加个 加一 加入"
        " 加到 填写 填入 放到 放在 放入 放进 做成 做一 做个 调整 转成 转为 转换 整理成 帮我写 刪除 創建 建立 編寫 優化"
        " 補充 翻譯 寫入 調整 轉換 替換 增補 用这个 用這個"
    ),
    "build": (
        "实现 开发 搭建 构建 安装 配置 部署 继续 设置 设为 接入 集成 升级 支持 显示 隐藏 发布 上传 下载 實現 開發 構建"
        " 安裝 繼續 設置 設定 升級 顯示 隱藏 發布"
    ),
    "run": "运行 执行 启动 跑一下 運行 執行 啟動",
    "plan": "规划 设计 規劃 設計",
    "analyze": "分析 调查 查找 排查 对比 研究 查一下 找出 調查 對比 排查",
    "check": "检查 确认 檢查 確認",
    "review": "审查 评审 审核 评估 審查 評審 審核 評估",
    "explain": "解释 说明一下 介绍 告诉 讲一下 解釋 說明 介紹 告訴",
    "show": "列出 列一下 列几",
    "test": "测试 測試",
    "refactor": "重构 清理 整理 拆分 简化 重構 簡化",
    "format": "格式化 重命名",
    "summarize": "总结 概括 總結",
    "commit": "提交 推送",
    "read": "看一下 看看 阅读 閱讀",
}
"""Verb class to Chinese cues; the earliest in a clause is its head."""
ASIAN_NOUNS: Final[dict[str, str]] = {
    "test": "测试 測試",
    "doc": "文档 注释 说明书 文檔 註釋 readme .md",
    "plan": "计划 迁移方案 实施方案 技术方案 设计方案 规划 规范 計劃 規劃 規範",
    "prompt": "提示词 技能 提示詞",
    "summary": "总结 摘要 报告 總結 報告",
    "commit": "commit",
    "style": "格式",
}
"""Noun class to Chinese cues."""
ASIAN_JOINTS: Final = ("然后", "接着", "之后", "最后", "并且", "并", "再", ",")
ASIAN_QUESTIONS: Final = ("怎么", "怎样", "如何", "什么", "吗", "哪", "为何", "是否", "多少", "呢", "能不能", "谁")
ASIAN_ASKING: Final = ("帮我", "幫我", "帮忙", "请", "請", "麻烦", "给我")
"""Words that ask for work: what follows is a request even where it holds a word of a question."""
ASIAN_WISHES: Final = ("我想", "想要", "我要", "需要", "希望", "要变成", "应该", "必须")
"""Words by which something is wanted, whatever the verb."""
ASIAN_INQUIRIES: Final = ("请问", "請問")
ASIAN_CAUSES: Final = ("为什么", "为啥", "原因")
ASIAN_NEGATIONS: Final = ("不要", "别", "不用", "无需", "不需要", "先不")
